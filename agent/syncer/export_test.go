package syncer

// HeaderVersion is the version that headers have.
const HeaderVersion = headerVersion

package syncer

// HeaderVersion is the version of headers.
const HeaderVersion = headerVersion

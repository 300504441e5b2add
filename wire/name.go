package wire

import (
	"baton"
	"baton/internal/pb/connectorv2"
)

// TraitOf returns the trait of the protocol's name for it without the prefix, such as "USER".
// It returns 0, which is unspecified, for an unknown name.
func TraitOf(name string) baton.Trait {
	return baton.Trait(connectorv2.ResourceType_Trait_value["TRAIT_"+name])
}

// PurposeOf returns the purpose of the protocol's name for it without the prefix, such as
// "ASSIGNMENT". It returns 0, which is unspecified, for an unknown name.
func PurposeOf(name string) baton.Purpose {
	return baton.Purpose(connectorv2.Entitlement_PurposeValue_value["PURPOSE_VALUE_"+name])
}

// UnmarshalGrantMetadata decodes a c1.connector.v2.GrantMetadata.
func UnmarshalGrantMetadata(b []byte) (baton.Profile, error) {
	var m connectorv2.GrantMetadata
	if err := unmarshal(b, &m, "grant metadata"); err != nil {
		return nil, err
	}
	return profile(m.Metadata), nil
}

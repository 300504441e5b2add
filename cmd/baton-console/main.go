// Command baton-console is the server half of Baton: it runs syncs of connectors, keeps the history
// of who has access to what, and compares syncs.
package main

import (
	"os"

	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/console/cli"
	"baton/console/govern"
)

// version is set when a release is linked, see the Makefile.
var version string

func main() {
	os.Exit(cli.Main(cli.Program{Version: version, Products: products, Sandboxes: sandboxes}))
}

// products are the connectors in the catalogue.
var products = []govern.Product{
	{Name: "percipio", DisplayName: "Percipio", Description: "Accounts, courses and course progress of a Skillsoft Percipio organisation",
		Settings: percipio.Settings(), Open: percipio.Open},
	{Name: "perplexity", DisplayName: "Perplexity", Description: "Accounts, groups and group membership of a Perplexity Enterprise organisation, over SCIM 2.0",
		Settings: perplexity.Settings(), Open: perplexity.Open, Provisions: true,
		Unseen: "Accounts that were made in Perplexity's own console, outside of SCIM, may be missing here: the connector sees what SCIM manages.",
		Recovery: []string{
			"At the identity provider, check that the person is in the group that carries the role Admin. SCIM replaces roles that were set in Perplexity.",
			"In Perplexity, as somebody who is still an admin: Organization settings, Identity, SCIM, the vertical ellipsis (⋮), Manage.",
			"In Role assignment, click Configure role assignment. Give the role Admin to the group of administrators and Member to the group of members. Click Continue.",
			"Repeat at the identity provider what you changed with the connector: otherwise its next push takes it away again.",
		},
		Support: "Without any admin, only Perplexity can correct the role assignment: contact Perplexity support, which also corrects bills for seats that SCIM added by mistake. https://www.perplexity.ai/help-center/en/articles/11652604-scim-based-user-account-management",
		Roles: govern.ProductRoles{Type: "group", MasteredIn: "the identity provider, which pushes it over SCIM",
			Masters:     []string{"Okta", "Microsoft Entra ID", "OneLogin", "Custom SCIM"},
			MastersNote: "Google Workspace is not supported as an identity provider, because Perplexity only supports just-in-time provisioning (not full SCIM) for Google Workspace: it pushes no groups."},
		Seats: []govern.SeatThreshold{{Name: "SCIM", Seats: 50, Otherwise: "at least one Enterprise Max user",
			Sentence: "Perplexity offers SCIM, on which this connector depends, from 50 seats, or with at least one Enterprise Max user. Ask Perplexity before you go below."}},
		Notice: "Perplexity offers SCIM with a Perplexity Enterprise subscription of at least 50 seats, or at least one Enterprise Max user."},
}

package api

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// messages are the messages of this package by their names on the platform.
var messages = map[string]any{
	"App": app{}, "AppEntitlement": appEntitlement{}, "AppEntitlementView": appEntitlementView{}, "AppEntitlementUserBinding": appEntitlementUserBinding{},
	"AppEntitlementWithUserBindings": appEntitlementWithUserBindings{}, "AppResource": appResource{}, "AppResourceType": appResourceType{}, "AppUser": appUser{},
	"AppUserStatus": appUserStatus{}, "AppUserView": appUserView{}, "User": user{}, "UserView": userView{}, "IntrospectResponse": introspectResponse{},
	"Connector": connector{}, "ConnectorStatus": connectorStatus{}, "ConnectorView": connectorView{}, "ConnectorCredential": connectorCredential{},
	"GetAppResponse": appResponse{}, "ListAppsResponse": appsResponse{}, "SearchAppsResponse": appsResponse{}, "UserServiceGetResponse": userResponse{},
	"AppUserServiceListResponse": appUsersResponse{}, "AppUsersForUserServiceListResponse": appUsersResponse{}, "GetAppEntitlementResponse": entitlementResponse{},
	"ListAppUsersForIdentityWithGrantResponse":              grantsResponse{},
	"RequestCatalogSearchServiceSearchEntitlementsResponse": catalogResponse{},
	"ConnectorServiceCreateResponse":                        connectorResponse{},
	"ConnectorServiceGetResponse":                           connectorResponse{},
	"ConnectorServiceRotateCredentialResponse":              credentialResponse{},
	"Task": task{}, "TaskView": taskView{}, "TaskType": taskType{}, "TaskTypeGrant": taskGrant{}, "TaskTypeRevoke": taskRevoke{}, "TaskRevokeSource": revokeSource{},
	"TaskServiceCreateGrantResponse": taskResponse{}, "TaskServiceCreateRevokeResponse": taskResponse{}, "TaskServiceGetResponse": taskResponse{},
	"TaskActionsServiceApproveResponse": taskActionResponse{}, "TaskActionsServiceDenyResponse": taskActionResponse{}, "TaskActionsServiceCommentResponse": taskResponse{},
	"TaskServiceActionResponse": taskActionResponse{}, "TaskSearchResponse": tasksResponse{}, "UpdateAppEntitlementResponse": entitlementResponse{},
	"PolicyInstance": policyState{}, "PolicyStepInstance": stepState{}, "ApprovalInstance": approvalState{}, "Approval": approval{}, "PolicyStep": step{},
	"ProvisionInstance": provisionState{}, "Provision": provision{}, "ProvisionTarget": provisionTarget{}, "WaitInstance": waitState{}, "Wait": wait{},
	"UserApproval": byUsers{}, "AppOwnerApproval": byOwners{}, "ManagerApproval": byManager{}, "EntitlementOwnerApproval": byEntitlement{}, "AppGroupApproval": byGroup{},
	"ExpressionApproval": byExpression{}, "Escalation": escalation{}, "Policy": policy{}, "Rule": policyRule{}, "PolicySteps": policySteps{}, "CreatePolicyResponse": policyResponse{},
	"FormInstance": formState{}, "RequestSchemaForm": form{}, "FormField": formField{}, "ApprovedAction": approvedBy{}, "DeniedAction": deniedBy{}, "ReassignedAction": reassignedBy{},
}

// traits are members of a oneof of resources that the console does not use.
var traits = []string{"agentTrait", "secretTrait"}

// unused are the members of oneofs of a message that the console never chooses.
var unused = map[string][]string{
	"TaskType": {"action", "certify", "finding", "offboarding"}, "TaskRevokeSource": {"expired", "nonUsage", "review"}, "PolicyStepInstance": {"action"}, "PolicyStep": {"action", "form"},
	"ApprovalInstance": {"reassignedByError", "restarted", "skipped"}, "Approval": {"agent", "resourceOwners", "self", "webhook"}, "Escalation": {"cancelTicket", "replacePolicy", "skipStep"},
	"ProvisionInstance": {"cancelled", "completed", "errored", "reassignedByError", "skipped"}, "WaitInstance": {"skipped", "succeeded", "timedOut"},
	"FormInstance": {"completed", "reassigned", "restarted", "skipped"},
	"FormField":    {"adminConfig", "boolField", "fileField", "int64Field", "oauth2Field", "sharedConfig", "stringMapField", "stringSliceField", "userConfig"},
}

// TestModels compares the fields of messages with the known ones of the platform: all exist under
// the same name, and 64-bit integers are strings.
func TestModels(t *testing.T) {
	file, err := os.Open("../../../shared/facts/c1-models.tsv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the models are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := map[string]map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		if want[columns[0]] == nil {
			want[columns[0]] = map[string]string{}
		}
		want[columns[0]][columns[1]] = columns[2]
	}
	for name, message := range messages {
		fields := want[name]
		if fields == nil {
			t.Errorf("there is no message %s", name)
			continue
		}
		typ := reflect.TypeOf(message)
		have := map[string]bool{}
		for _, field := range reflect.VisibleFields(typ) {
			if field.Anonymous {
				continue
			}
			tag := strings.Split(field.Tag.Get("json"), ",")
			have[tag[0]] = true
			kind, ok := fields[tag[0]]
			text := slices.Contains(tag, "string")
			switch {
			case !ok:
				t.Errorf("%s has no field %s", name, tag[0])
			case (kind == "int64 as JSON string") != text:
				t.Errorf("%s.%s is %s", name, tag[0], kind)
			case strings.HasPrefix(kind, "repeated") || strings.HasPrefix(kind, "list of"):
				if field.Type.Kind() != reflect.Slice {
					t.Errorf("%s.%s is %s", name, tag[0], kind)
				}
			case kind == "bool" && field.Type.Kind() != reflect.Bool, strings.HasPrefix(kind, "RFC3339") && field.Type != reflect.TypeFor[stamp]():
				t.Errorf("%s.%s is %s", name, tag[0], kind)
			}
		}
		for field := range fields {
			if !have[field] && !slices.Contains(traits, field) && !slices.Contains(unused[name], field) {
				t.Errorf("%s lacks the field %s", name, field)
			}
		}
	}
}

package api

// The messages of policies; see message.go.

// step is a step of a policy. One field is set.
type step struct {
	Accept    *acceptState `json:"accept,omitempty"`
	Approval  *approval    `json:"approval,omitempty"`
	Provision *provision   `json:"provision,omitempty"`
	Reject    *rejectState `json:"reject,omitempty"`
	Wait      *wait        `json:"wait,omitempty"`
}

// approval defines whom a step asks. One field is set.
type approval struct {
	AllowDelegation           bool           `json:"allowDelegation"`
	AllowReassignment         bool           `json:"allowReassignment"`
	AllowedReassignees        list[string]   `json:"allowedReassignees"`
	AppOwners                 *byOwners      `json:"appOwners,omitempty"`
	Assigned                  bool           `json:"assigned"`
	EntitlementOwners         *byEntitlement `json:"entitlementOwners,omitempty"`
	Escalation                *escalation    `json:"escalation"`
	EscalationEnabled         bool           `json:"escalationEnabled"`
	Expression                *byExpression  `json:"expression,omitempty"`
	Group                     *byGroup       `json:"group,omitempty"`
	Manager                   *byManager     `json:"manager,omitempty"`
	RequireApprovalReason     bool           `json:"requireApprovalReason"`
	RequireDenialReason       bool           `json:"requireDenialReason"`
	RequireReassignmentReason bool           `json:"requireReassignmentReason"`
	RequiresStepUpProviderID  string         `json:"requiresStepUpProviderId"`
	Users                     *byUsers       `json:"users,omitempty"`
}

type byOwners struct {
	AllowSelfApproval        bool `json:"allowSelfApproval"`
	RequireDistinctApprovers bool `json:"requireDistinctApprovers"`
}

type byUsers struct {
	AllowSelfApproval        bool         `json:"allowSelfApproval"`
	RequireDistinctApprovers bool         `json:"requireDistinctApprovers"`
	UserIDs                  list[string] `json:"userIds"`
}

// fallback defines who is asked if nobody else may decide.
type fallback struct {
	Fallback               bool          `json:"fallback"`
	FallbackGroupIDs       list[groupID] `json:"fallbackGroupIds"`
	FallbackUserIDs        list[string]  `json:"fallbackUserIds"`
	IsGroupFallbackEnabled bool          `json:"isGroupFallbackEnabled"`
}

type groupID struct {
	AppEntitlementID string `json:"appEntitlementId"`
	AppID            string `json:"appId"`
}

type byEntitlement struct {
	byOwners
	fallback
}

type byManager struct {
	byOwners
	fallback
	AssignedUserIDs list[string] `json:"assignedUserIds"`
}

type byGroup struct {
	byOwners
	fallback
	AppGroupID string `json:"appGroupId"`
	AppID      string `json:"appId"`
}

type byExpression struct {
	byOwners
	fallback
	AssignedUserIDs list[string] `json:"assignedUserIds"`
	Expressions     list[string] `json:"expressions"`
}

type escalation struct {
	EscalationComment   string      `json:"escalationComment"`
	Expiration          int64       `json:"expiration,string"`
	ReassignToApprovers *reassignTo `json:"reassignToApprovers,omitempty"`
}

type reassignTo struct {
	ApproverIDs list[string] `json:"approverIds"`
}

type wait struct {
	CommentOnFirstWait string         `json:"commentOnFirstWait"`
	CommentOnTimeout   string         `json:"commentOnTimeout"`
	Condition          *waitCondition `json:"condition,omitempty"`
	Duration           *waitDuration  `json:"duration,omitempty"`
	Name               string         `json:"name"`
	TimeoutDuration    period         `json:"timeoutDuration"`
	UntilTime          *waitClock     `json:"untilTime,omitempty"`
}

type waitDuration struct {
	Duration period `json:"duration"`
}

type waitClock struct {
	Hours    int    `json:"hours"`
	Minutes  int    `json:"minutes"`
	Timezone string `json:"timezone"`
}

// policySteps are the steps that one key of a policy has.
type policySteps struct {
	Steps list[step] `json:"steps"`
}

type policyRule struct {
	Condition string `json:"condition"`
	PolicyKey string `json:"policyKey"`
}

type policy struct {
	Annotations              words                  `json:"annotations"`
	CreatedAt                stamp                  `json:"createdAt"`
	DeletedAt                stamp                  `json:"deletedAt"`
	Description              text                   `json:"description"`
	DisplayName              text                   `json:"displayName"`
	ID                       string                 `json:"id"`
	PolicySteps              map[string]policySteps `json:"policySteps"`
	PolicyType               string                 `json:"policyType"`
	PostActions              list[any]              `json:"postActions"`
	ReassignTasksToDelegates bool                   `json:"reassignTasksToDelegates"`
	Rules                    list[policyRule]       `json:"rules"`
	SystemBuiltin            bool                   `json:"systemBuiltin"`
	UpdatedAt                stamp                  `json:"updatedAt"`
}

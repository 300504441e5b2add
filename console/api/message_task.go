package api

// The messages of tasks; see message.go. Members of a oneof are absent unless set.

type task struct {
	Actions            list[string] `json:"actions"`
	AnalysisID         string       `json:"analysisId"`
	Annotations        list[any]    `json:"annotations"`
	ApproverIDs        list[string] `json:"approverIds"`
	CommentCount       int          `json:"commentCount"`
	CreatedAt          stamp        `json:"createdAt"`
	CreatedByUserID    string       `json:"createdByUserId"`
	Data               words        `json:"data"`
	DeletedAt          stamp        `json:"deletedAt"`
	Description        text         `json:"description"`
	DisplayName        text         `json:"displayName"`
	EmergencyAccess    bool         `json:"emergencyAccess"`
	ExternalRefs       list[any]    `json:"externalRefs"`
	Form               *form        `json:"form"`
	ID                 string       `json:"id"`
	InsightIDs         list[string] `json:"insightIds"`
	NumericID          int64        `json:"numericId,string"`
	Origin             string       `json:"origin"`
	Policy             policyState  `json:"policy"`
	PolicyGenerationID string       `json:"policyGenerationId"`
	Processing         string       `json:"processing"`
	Recommendation     string       `json:"recommendation"`
	RevocationTargets  list[any]    `json:"revocationTargets"`
	State              string       `json:"state"`
	StepApproverIDs    list[string] `json:"stepApproverIds"`
	Type               taskType     `json:"type"`
	UpdatedAt          stamp        `json:"updatedAt"`
	UserID             string       `json:"userId"`
}

type taskType struct {
	Grant  *taskGrant  `json:"grant,omitempty"`
	Revoke *taskRevoke `json:"revoke,omitempty"`
}

type taskGrant struct {
	AppEntitlementID string `json:"appEntitlementId"`
	AppID            string `json:"appId"`
	AppUserID        string `json:"appUserId"`
	GrantDuration    period `json:"grantDuration"`
	IdentityUserID   string `json:"identityUserId"`
	Outcome          string `json:"outcome"`
	OutcomeTime      stamp  `json:"outcomeTime"`
	Source           null   `json:"source"`
}

type taskRevoke struct {
	AppEntitlementID string       `json:"appEntitlementId"`
	AppID            string       `json:"appId"`
	AppUserID        string       `json:"appUserId"`
	IdentityUserID   string       `json:"identityUserId"`
	Outcome          string       `json:"outcome"`
	OutcomeTime      stamp        `json:"outcomeTime"`
	Resource         null         `json:"resource"`
	Source           revokeSource `json:"source"`
}

type revokeSource struct {
	Request revokeByRequest `json:"request"`
}

type revokeByRequest struct {
	RequestUserID string `json:"requestUserId"`
}

type taskView struct {
	AccessReviewPath      string `json:"accessReviewPath"`
	AppPath               string `json:"appPath"`
	AppUserLastUsagePath  string `json:"appUserLastUsagePath"`
	AppUserPath           string `json:"appUserPath"`
	ApproversPath         string `json:"approversPath"`
	CreatedByUserPath     string `json:"createdByUserPath"`
	EntitlementsPath      string `json:"entitlementsPath"`
	IdentityUserPath      string `json:"identityUserPath"`
	InsightsPath          string `json:"insightsPath"`
	ObjectPermissions     null   `json:"objectPermissions"`
	PrincipalResourcePath string `json:"principalResourcePath"`
	ResourceBindingsPath  string `json:"resourceBindingsPath"`
	RoleResourcePath      string `json:"roleResourcePath"`
	ScopeResourcePath     string `json:"scopeResourcePath"`
	StepApproversPath     string `json:"stepApproversPath"`
	Task                  task   `json:"task"`
	UserPath              string `json:"userPath"`
}

// policyState is the progress of a task in its policy.
type policyState struct {
	Current *stepState      `json:"current"`
	History list[stepState] `json:"history"`
	Next    list[step]      `json:"next"`
	Policy  null            `json:"policy"`
}

// stepState is a current or past step.
type stepState struct {
	ID                 string          `json:"id"`
	PolicyGenerationID string          `json:"policyGenerationId"`
	State              string          `json:"state"`
	Accept             *acceptState    `json:"accept,omitempty"`
	Approval           *approvalState  `json:"approval,omitempty"`
	Form               *formState      `json:"form,omitempty"`
	Provision          *provisionState `json:"provision,omitempty"`
	Reject             *rejectState    `json:"reject,omitempty"`
	Wait               *waitState      `json:"wait,omitempty"`
}

type formState struct {
	Data  words  `json:"data"`
	Form  form   `json:"form"`
	State string `json:"state"`
}

type acceptState struct {
	AcceptMessage string `json:"acceptMessage"`
}

type rejectState struct {
	RejectMessage string `json:"rejectMessage"`
}

type approvalState struct {
	Approval           approval      `json:"approval"`
	Approved           *approvedBy   `json:"approved,omitempty"`
	AssignedAt         stamp         `json:"assignedAt"`
	Denied             *deniedBy     `json:"denied,omitempty"`
	EscalationInstance null          `json:"escalationInstance"`
	Reassigned         *reassignedBy `json:"reassigned,omitempty"`
	State              string        `json:"state"`
}

type approvedBy struct {
	ApprovedAt          stamp     `json:"approvedAt"`
	Entitlements        list[any] `json:"entitlements"`
	StepUpTransactionID string    `json:"stepUpTransactionId"`
	UserID              string    `json:"userId"`
}

type deniedBy struct {
	DeniedAt stamp  `json:"deniedAt"`
	UserID   string `json:"userId"`
}

type reassignedBy struct {
	NewPolicyStepID string `json:"newPolicyStepId"`
	ReassignedAt    stamp  `json:"reassignedAt"`
	UserID          string `json:"userId"`
}

type provisionState struct {
	BatonActionInvocationID           string    `json:"batonActionInvocationId"`
	ExternalTicketID                  string    `json:"externalTicketId"`
	ExternalTicketProvisionerConfigID string    `json:"externalTicketProvisionerConfigId"`
	NotificationID                    string    `json:"notificationId"`
	WebhookID                         string    `json:"webhookId"`
	WebhookInstanceID                 string    `json:"webhookInstanceId"`
	Provision                         provision `json:"provision"`
	State                             string    `json:"state"`
}

type provision struct {
	Assigned        bool            `json:"assigned"`
	ProvisionPolicy provisionPolicy `json:"provisionPolicy"`
	ProvisionTarget provisionTarget `json:"provisionTarget"`
}

type provisionPolicy struct {
	Connector *empty           `json:"connector,omitempty"`
	Manual    *manualProvision `json:"manual,omitempty"`
}

type manualProvision struct {
	Assignee     null         `json:"assignee"`
	Instructions string       `json:"instructions"`
	UserIDs      list[string] `json:"userIds"`
}

type provisionTarget struct {
	AppEntitlementID string `json:"appEntitlementId"`
	AppID            string `json:"appId"`
	AppUserID        string `json:"appUserId"`
	GrantDuration    period `json:"grantDuration"`
}

type waitState struct {
	CommentOnFirstWait string         `json:"commentOnFirstWait"`
	CommentOnTimeout   string         `json:"commentOnTimeout"`
	Condition          *waitCondition `json:"condition,omitempty"`
	Name               string         `json:"name"`
	StartedWaitingAt   stamp          `json:"startedWaitingAt"`
	State              string         `json:"state"`
	Timeout            stamp          `json:"timeout"`
	TimeoutDuration    period         `json:"timeoutDuration"`
	UntilTime          *waitUntil     `json:"untilTime,omitempty"`
}

type waitCondition struct {
	Condition string `json:"condition"`
}

type waitUntil struct {
	DurationIfExists period `json:"durationIfExists"`
	UntilTime        stamp  `json:"untilTime"`
}

// form holds the questions of a request.
type form struct {
	Description        text            `json:"description"`
	DisplayName        text            `json:"displayName"`
	FieldGroups        list[any]       `json:"fieldGroups"`
	FieldRelationships list[any]       `json:"fieldRelationships"`
	Fields             list[formField] `json:"fields"`
	ID                 string          `json:"id"`
}

type formField struct {
	Description text         `json:"description"`
	DisplayName text         `json:"displayName"`
	Name        string       `json:"name"`
	ReadOnly    bool         `json:"readOnly"`
	Required    bool         `json:"required"`
	StringField *stringField `json:"stringField,omitempty"`
}

type stringField struct {
	DefaultValue string       `json:"defaultValue"`
	Placeholder  string       `json:"placeholder"`
	Rules        *stringRules `json:"rules"`
	TextField    textField    `json:"textField"`
}

// stringRules are the rules that the console supports; the others are not set.
type stringRules struct {
	MinLen   int64 `json:"minLen,string"`
	MaxBytes int64 `json:"maxBytes,string"`
}

type textField struct {
	Multiline bool   `json:"multiline"`
	Suffix    string `json:"suffix"`
}

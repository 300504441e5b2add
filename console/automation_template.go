package console

// AutomationTemplate is a draft to begin with.
type AutomationTemplate struct {
	ID   string
	Name string
	Does string // what it does, for display
	// Disables means that its step "disable" becomes the action with which the connector of the
	// application disables accounts, if it names one.
	Disables bool
	Rule     AutomationRule
}

// AutomationTemplates lists the templates.
func AutomationTemplates() []AutomationTemplate {
	return []AutomationTemplate{
		{ID: "leaver", Name: "Leaver", Does: "When a person is disabled, it disables the person's accounts in the application.", Disables: true,
			Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerPersonDisabled}, Steps: []AutomationStep{
				{ID: "disable", Kind: StepDisable, Skip: `account.id == "" || account.status == "disabled"`}}}},
		{ID: "joiner", Name: "Joiner", Does: "When a person is added, it makes an account, and grants an entitlement that you choose.",
			Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerPersonCreated, When: `subject.email != ""`}, Steps: []AutomationStep{
				{ID: "account", Kind: StepCreate}, {ID: "grant", Kind: StepGrant}}}},
		{ID: "course", Name: "Access after a course", Does: "When somebody completes a course in another application, it grants an entitlement that you choose.",
			Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerCourseCompleted, When: `subject.status == "active"`}, Steps: []AutomationStep{
				{ID: "grant", Kind: StepGrant}}}},
		{ID: "unexplained", Name: "Unexplained administrator", Does: "When a sync shows an administrator whom nobody made here, it starts a review of just that: the owners of the application keep or remove the access.",
			Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerGrantFound, Origin: OriginUnexplained, When: "trigger.admin"}, Steps: []AutomationStep{
				{ID: "review", Kind: StepCampaign, To: MailAppOwners, Subject: `="Unexplained administrator: " + account.name`, Text: "A sync shows access that nobody asked for here. Keep it only if you know why it is there."}}}},
		{ID: "seats", Name: "Seats nearly full", Does: "When few seats of the application are left, it tells its owners.",
			Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerSeatsNear}, Steps: []AutomationStep{
				{ID: "tell", Kind: StepMail, To: MailAppOwners, Subject: "Few seats are left", Text: `="The seats of " + app.name + " are nearly full. Its page of seats says which could be freed."`}}}},
		{ID: "empty", Name: "Empty", Does: "A draft without steps.", Rule: AutomationRule{Trigger: AutomationTrigger{Kind: TriggerOnDemand}}},
	}
}

// TemplateNamed returns a template; ok is false if there is none.
func TemplateNamed(id string) (t AutomationTemplate, ok bool) {
	for _, t := range AutomationTemplates() {
		if t.ID == id {
			return t, true
		}
	}
	return t, false
}

package scim

// Refer classifies an entry given by its parts.
func Refer(value, kind, ref, display, id, inside string, foreign bool, problem string) (Member, GroupRef) {
	r := reference{value: value, kind: kind, ref: ref, display: display, id: id, inside: inside, foreign: foreign, problem: problem}
	asMember := r
	return asMember.member(), r.groupRef()
}

// Inner identifies an object inside an entry.
func Inner(value, ref, id string) string {
	r := reference{value: value, ref: ref, id: id}
	r.identify()
	return r.value
}

// JoinKinds returns the kind after adding a second word.
func JoinKinds(kind, word string) string {
	r := reference{kind: kind}
	r.addKind(word)
	return r.kind
}

// Describes reports whether an attribute describes the resource that an entry refers to.
func Describes(name string) bool { return describing[name] }

// About classifies an attribute beside the members.
func About(name string) (count, more bool) {
	n := []byte(name)
	return aboutMembers(n) && isCount(n) && !isMore(n), aboutMembers(n) && isMore(n)
}

// Disagree returns the problem of a group that lists members and has a count or a link to more of them.
func Disagree(listed, counted int, more string) string {
	t := memberTally{listed: listed, counted: counted, more: more}
	return t.problem()
}

// MaxHeld changes how many bytes of members are held, and returns a function that restores the limit.
func MaxHeld(n int) func() {
	was := maxHeld
	maxHeld = n
	return func() { maxHeld = was }
}

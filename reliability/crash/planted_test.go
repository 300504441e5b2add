package crash_test

func planted(string) int { return 99 }

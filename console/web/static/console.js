// Keys: "/" goes to the search field. Everything works without this file.
"use strict";
document.addEventListener("keydown", (event) => {
	if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
	if (event.target.closest("input, select, textarea, [contenteditable]")) return;
	const search = document.querySelector("input[type=search]");
	if (!search) return;
	event.preventDefault();
	search.focus();
});

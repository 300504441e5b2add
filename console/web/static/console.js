// Keys, pages that stay up to date, and the progress of uploads. Everything works without
// this file.
"use strict";
(() => {
	const $ = (selector, of = document) => of.querySelector(selector);
	const all = (selector, of = document) => [...of.querySelectorAll(selector)];

	// --- Keys. They can be switched off (WCAG 2.1.4), in this browser.
	const keysOff = "keys-off";
	const stored = () => { try { return localStorage.getItem(keysOff); } catch { return null; } };
	const on = () => stored() !== "yes";
	const typing = (e) => e.closest?.("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable], dialog");
	const rows = () => all("main tbody tr, main .found li, main .timeline > li, [data-row]").filter((r) => $("a, button, input", r) && r.checkVisibility());

	// move goes to the next row, or the one before, and to the first thing in it.
	const move = (step) => {
		const list = rows();
		if (!list.length) return;
		const at = list.findIndex((r) => r.contains(document.activeElement));
		const next = list[Math.min(Math.max(at < 0 ? (step > 0 ? 0 : list.length - 1) : at + step, 0), list.length - 1)];
		$("a, button, input:not([type=hidden])", next).focus();
		next.scrollIntoView({block: "nearest"});
	};

	// clear takes the selection back, and leaves the row.
	const clear = () => {
		for (const box of all("main [data-key=x]:checked")) box.checked = false;
		document.activeElement.blur();
	};

	const help = () => {
		let dialog = $("#keys");
		if (!dialog) {
			dialog = document.createElement("dialog");
			dialog.id = "keys";
			dialog.setAttribute("aria-labelledby", "keys-title");
			const own = all("[data-key]").filter((e, i, list) => list.findIndex((f) => f.dataset.key === e.dataset.key) === i).map((e) => [{a: "A, Y", d: "D, N"}[e.dataset.key] ?? e.dataset.key.toUpperCase(), e.dataset.key === "x" ? "Select" : e.getAttribute("aria-label") || e.textContent.trim()]);
			const table = [["/", "Search"], ["J, K", "Next row, row before"], ["Enter", "Open what is chosen"], ["Esc", "Leave the row, select nothing"], ["?", "This help"], ...own];
			dialog.innerHTML = `<h2 id="keys-title">Keyboard shortcuts</h2><dl class="facts"></dl>
				<p class="check"><input type="checkbox" id="keys-on"> <label for="keys-on">Use keys in this browser</label></p>
				<form method="dialog"><button class="primary">Close</button></form>`;
			for (const [key, text] of table) {
				const dt = document.createElement("dt"), dd = document.createElement("dd");
				dt.append(Object.assign(document.createElement("kbd"), {textContent: key}));
				dd.textContent = text;
				$("dl", dialog).append(dt, dd);
			}
			document.body.append(dialog);
			$("#keys-on").addEventListener("change", (e) => { try { localStorage.setItem(keysOff, e.target.checked ? "no" : "yes"); } catch { /* not kept */ } });
		}
		$("#keys-on").checked = on();
		dialog.showModal();
	};

	document.addEventListener("keydown", (event) => {
		if (!on() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
		const key = {y: "a", n: "d"}[event.key] ?? event.key;
		const actions = {Escape: clear, "/": () => $("#q")?.focus() ?? $("input[type=search]")?.focus(), "?": help, j: () => move(1), k: () => move(-1)};
		const row = document.activeElement.closest("tr, li, [data-row]"), here = row && $(`[data-key="${key}"]`, row), found = all(`main [data-key="${key}"]`);
		const own = /^[a-z]$/.test(key) && (here || (found.length === 1 && found[0])); // of several, only that of the row that is chosen
		const act = own ? () => own.click() : actions[key];
		if (!act) return;
		event.preventDefault();
		act();
	});

	const me = $(".me");
	if (me) {
		const button = Object.assign(document.createElement("button"), {type: "button", className: "link", textContent: "Keyboard shortcuts"});
		button.addEventListener("click", help);
		me.append(button);
	}

	// --- On a phone the navigation is a row that scrolls: to where one is.
	const nav = $(".side nav"), here = nav && $("[aria-current]", nav);
	if (here && nav.scrollWidth > nav.clientWidth) nav.scrollLeft += here.getBoundingClientRect().left - nav.getBoundingClientRect().left - (nav.clientWidth - here.offsetWidth) / 2;

	// --- Pages that stay up to date: the regions of a page are taken from it anew. The answer to a form
	// says from which address: it is not loaded again, and neither is what it shows once.
	const from = document.body.dataset.from;
	const refresh = async () => {
		const answer = await fetch(from ?? location.href, {headers: {Accept: "text/html"}});
		if (answer.redirected || !answer.ok) return from ? undefined : location.reload();
		const page = new DOMParser().parseFromString(await answer.text(), "text/html");
		for (const region of all("[data-region]")) {
			const fresh = $(`[data-region="${region.dataset.region}"]`, page);
			if (!fresh || fresh.innerHTML === region.innerHTML || region.contains(typing(document.activeElement) || null)) continue;
			const path = document.activeElement.getAttribute?.("href"), inside = region.contains(document.activeElement);
			region.replaceChildren(...fresh.childNodes);
			if (inside && path) all("a", region).find((a) => a.getAttribute("href") === path)?.focus();
		}
	};
	const live = document.body.dataset.live;
	if (live && window.EventSource) {
		let version = document.body.dataset.version;
		const source = new EventSource(live);
		source.addEventListener("message", async (event) => {
			if (event.data === version) return;
			version = event.data;
			try { await refresh(); } catch { version = ""; /* the next event tries again */ }
		});
		source.addEventListener("end", () => { source.close(); if (!from) location.reload(); });
		addEventListener("pagehide", () => source.close());
		addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
	}

	// --- Uploads, with their progress.
	const upload = (form) => {
		const request = new XMLHttpRequest(), bar = document.createElement("progress"), text = document.createElement("p"), button = $("button", form);
		bar.max = 1;
		bar.setAttribute("aria-label", "Upload");
		text.setAttribute("role", "status");
		form.append(bar, text);
		button.disabled = true;
		request.upload.addEventListener("progress", (e) => {
			bar.value = e.total ? e.loaded / e.total : 0;
			const now = `${10 * Math.floor(10 * bar.value)} % sent`; // read aloud ten times, not more
			if (text.textContent !== now) text.textContent = now;
		});
		request.upload.addEventListener("load", () => { bar.removeAttribute("value"); text.textContent = "Sent. The console is reading it."; });
		request.addEventListener("load", () => {
			if (request.status < 400) return location.assign(request.responseURL);
			const page = new DOMParser().parseFromString(request.responseText, "text/html");
			$("main").replaceChildren(...$("main", page).childNodes);
			wire();
			$("main [role=alert]")?.scrollIntoView({block: "center"});
		});
		request.addEventListener("error", () => { bar.remove(); button.disabled = false; text.textContent = "The connection broke. Try again."; });
		request.open("POST", form.action);
		request.send(new FormData(form));
	};
	const wire = () => {
		for (const form of all("form[data-progress]")) form.addEventListener("submit", (event) => { event.preventDefault(); upload(form); });
	};
	wire();
})();

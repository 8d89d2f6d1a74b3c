// What the page needs beside htmx: movement, keys, copying, clocks. Everything
// works without it but those, and nothing here is rendered from data.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // --- The screen: new cards slide in, rows that moved glide, depth gives direction.

  let before = null; // what the screen showed before a swap
  let moved = false; // the last swap showed another screen

  function remember() {
    const state = $("#screen-state");
    const scroll = $("#screen .scroll");
    before = {
      depth: Number(state.dataset.depth), key: state.dataset.kind + "/" + state.dataset.chat,
      places: new Map($$("#screen [data-flip]").map((e) => [e.dataset.flip, e.offsetTop])),
      top: scroll ? scroll.scrollTop : 0,
      atEnd: !scroll || scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop < 60,
    };
  }

  function settle() {
    const state = $("#screen-state");
    const screen = $("#screen");
    const scroll = $(".scroll", screen);
    $("#device").dataset.platform = state.dataset.platform;
    write($("#caption"), state.dataset.caption);
    const was = before;
    before = null;
    const same = was && was.key === state.dataset.kind + "/" + state.dataset.chat;
    if (scroll && scroll.dataset.scroll === "bottom" && (!same || was.atEnd)) scroll.scrollTop = scroll.scrollHeight;
    else if (scroll && same) scroll.scrollTop = was.top;
    if (!was) return;
    if (!same) {
      moved = true;
      const depth = Number(state.dataset.depth);
      restart(screen, depth > was.depth ? "pushing" : depth < was.depth ? "popping" : "");
      return;
    }
    for (const e of $$("[data-flip]", screen)) {
      if (!was.places.has(e.dataset.flip)) restart(e, "arriving");
      else glide(e, was.places.get(e.dataset.flip) - e.offsetTop);
    }
  }

  function restart(element, name) {
    element.classList.remove("pushing", "popping", "arriving");
    if (!name) return;
    void element.offsetWidth; // or the browser would not notice that it was gone
    element.classList.add(name);
    element.addEventListener("animationend", () => element.classList.remove(name), { once: true });
  }

  function glide(element, distance) {
    if (!distance || calm.matches) return;
    element.animate([{ transform: `translateY(${distance}px)` }, { transform: "none" }], { duration: 320, easing: "cubic-bezier(.2,.8,.25,1)" });
  }

  document.addEventListener("htmx:beforeSwap", (e) => { if (e.detail.target.id === "screen") remember(); });
  document.addEventListener("htmx:oobBeforeSwap", (e) => { if (e.detail.target.id === "screen") remember(); });
  document.addEventListener("htmx:afterSwap", (e) => { if (e.detail.target.id === "screen") settle(); refresh(); });
  document.addEventListener("htmx:oobAfterSwap", (e) => { if (e.detail.target.id === "screen") settle(); refresh(); });

  // Opening a chat or a message puts the reader at its beginning.
  document.addEventListener("htmx:afterSettle", (e) => {
    if (e.detail.target.id !== "screen" || !moved || document.activeElement !== document.body) return;
    moved = false;
    $("#screen").focus({ preventScroll: true });
  });

  // A screen that was asked for before the reader went on comes too late.
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.target.id !== "screen" || e.detail.requestConfig.elt.id !== "screen") return;
    const asked = e.detail.requestConfig.parameters;
    if ($$("#screen-state input").some((i) => (asked[i.name] ?? "") !== i.value)) e.detail.shouldSwap = false;
  });

  // A part that came back as it is stays: nothing under a finger is replaced.
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.requestConfig.verb !== "get" || e.detail.target !== e.detail.requestConfig.elt) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = e.detail.serverResponse;
    if (fresh.innerHTML === e.detail.target.innerHTML) e.detail.shouldSwap = false;
  });

  // --- The panel: rows flash once, and the list stays short.

  const mostRows = 200;
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.target.id === "traffic") $$("#traffic > .exchange").forEach((row) => row.classList.add("seen"));
  });
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id !== "traffic") return;
    const rows = $$("#traffic > .exchange");
    rows.filter((row) => !row.classList.contains("seen")).forEach((row) => restart(row, "arriving"));
    rows.slice(mostRows).forEach((row) => row.remove());
  });

  // --- The stream.

  const live = $("#live");
  document.addEventListener("htmx:sseOpen", () => { live.dataset.state = "open"; });
  document.addEventListener("htmx:sseError", () => { live.dataset.state = "closed"; });
  document.addEventListener("htmx:sseClose", () => { live.dataset.state = "closed"; });

  // --- Keys: arrows move in lists, Escape goes back, Space presses what Enter opens.

  const stops = { "": "a, button", tabs: "a", cards: ".tap, .card-menu > summary", summary: "summary" };
  document.addEventListener("keydown", (e) => {
    if (e.altKey || e.ctrlKey || e.metaKey || e.target.matches("input, select, textarea")) return;
    if (e.key === "Escape" && $(".card-menu[open]")) { $(".card-menu[open]").open = false; return; }
    if (e.key === "Escape" && $("#back")) { $("#back").click(); return; }
    if (e.key === " " && e.target.matches("a")) { e.preventDefault(); e.target.click(); return; }
    const list = e.target.closest("[data-arrows]");
    if (!list) return;
    const items = $$(stops[list.dataset.arrows], list);
    const at = items.indexOf(e.target.closest(stops[list.dataset.arrows]));
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[e.key];
    const sideways = e.key === "ArrowLeft" || e.key === "ArrowRight";
    let to = -1;
    if (e.key === "Home") to = 0;
    else if (e.key === "End") to = items.length - 1;
    else if (step && at >= 0 && (!sideways || list.dataset.arrows === "tabs")) to = Math.min(items.length - 1, Math.max(0, at + step));
    if (to < 0) return;
    e.preventDefault();
    items[to].focus();
    if (list.dataset.arrows === "tabs" && to !== at) items[to].click();
  });

  // --- Narrow pages show one part at a time.

  document.addEventListener("click", (e) => {
    const tab = e.target.closest("[data-tab-to]");
    if (tab && !e.ctrlKey && !e.metaKey) {
      e.preventDefault();
      document.body.dataset.tab = tab.dataset.tabTo;
      $$("[data-tab-to]").forEach((t) => t.toggleAttribute("aria-current", t === tab));
      $$("[data-tab-to][aria-current]").forEach((t) => t.setAttribute("aria-current", "page"));
      const address = new URL(location.href);
      address.searchParams.set("tab", tab.dataset.tabTo);
      history.replaceState(history.state, "", address);
      return;
    }
    const copy = e.target.closest("[data-copy]");
    if (copy) copyText(copy);
  });

  async function copyText(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without https or loopback the clipboard is closed; a selection is not.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.dataset.copied = "true";
    setTimeout(() => delete button.dataset.copied, 1200);
  }

  // --- Clocks: the sandbox's time is the server's at loading plus what passed since.

  let ahead = 0;
  function readClock() {
    const face = $("[data-clock]");
    if (face && face.dataset.read !== "true") {
      $$("[data-clock]").forEach((f) => { f.dataset.read = "true"; });
      ahead = Number(face.dataset.clock) - Date.now();
    }
  }

  function tick() {
    const now = Date.now() + ahead;
    const text = new Date(now + 8 * 3600e3).toISOString().slice(0, 19).replace("T", " "); // Beijing
    for (const face of $$("[data-clock]")) {
      write($(".clock-date", face), text.slice(0, 10));
      write($(".clock-time", face), text.slice(11));
    }
    write($("#screen .status-time"), text.slice(11, 16));
    for (const grant of $$("[data-until]")) {
      const left = Number(grant.dataset.until) - now;
      $("[data-countdown]", grant).textContent = Math.max(0, Math.ceil(left / 1000)) + " s";
      $(".ring-hand", grant).style.strokeDashoffset = 100 - Math.max(0, Math.min(100, (left / Number(grant.dataset.total)) * 100));
      if (left <= 0) {
        grant.removeAttribute("data-until");
        htmx.trigger("#actions", "sse:actions"); // it works now: draw it so
      }
    }
  }

  function write(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function leave(toast) {
    if (toast.dataset.leaving) return;
    toast.dataset.leaving = "true";
    setTimeout(() => toast.classList.add("leaving"), 4500);
    setTimeout(() => toast.remove(), 5000);
  }

  function refresh() {
    readClock();
    tick();
    $$("#toasts > .toast").forEach(leave);
    const last = $$("#toasts > .toast");
    last.slice(0, -3).forEach((t) => t.remove());
  }

  settle();
  refresh();
  setInterval(tick, 250);
})();

// Runs in a world of its own, again and again.
(() => {
  const root = document.documentElement;
  const now = performance.now();
  let s = globalThis.farwire;
  if (!s || s.root !== root) {
    s = globalThis.farwire = { root, changed: now };
    if (root) {
      new MutationObserver(() => { s.changed = performance.now(); })
        .observe(root, { childList: true, characterData: true, subtree: true });
    }
  }
  const silent = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE"]);
  const enough = 200; // characters
  let words = 0, seen = 0;
  const count = (top) => {
    const walk = document.createTreeWalker(top, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (n) =>
      n.nodeType === Node.ELEMENT_NODE && silent.has(n.tagName) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    for (let n = walk.nextNode(); n && words < enough && seen < 20000; n = walk.nextNode(), seen++) {
      if (n.nodeType === Node.TEXT_NODE) words += n.data.trim().length;
      else if (n.shadowRoot) count(n.shadowRoot);
    }
  };
  if (document.body) count(document.body);
  return { loaded: document.readyState !== "loading", quiet: Math.round(now - s.changed), words: words >= enough };
})()

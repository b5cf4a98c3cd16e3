// Writes the document as HTML, for a reader that runs no scripts: without what
// only a browser wants, with what stands in shadow trees in its place, and with
// whole addresses. It stops when it has enough.
(most) => {
  const voids = new Set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]);
  const dropped = new Set(["style", "noscript", "template", "iframe", "frame", "object", "svg", "canvas", "video", "audio"]);
  const raw = new Set(["script"]);
  const out = [];
  let size = 0;
  const put = (s) => { out.push(s); size += s.length; };
  const text = (s) => s.replace(/[&<>\u00a0]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "\u00a0": "&nbsp;" })[c]);
  const value = (s) => text(s).replace(/"/g, "&quot;");
  const attributes = (e) => {
    for (const { name, value: v } of e.attributes) {
      if (name === "style" || name.startsWith("on") || name === "srcset" || v.length > 2000) continue;
      const whole = (name === "href" || name === "src") && typeof e[name] === "string" && e[name] ? e[name] : v;
      put(` ${name}="${value(whole)}"`);
    }
  };
  const isData = (e) => /^application\/ld\+json/i.test(e.getAttribute("type") || "");
  // Depth-first with a stack of its own: a page can be deeper than the
  // engine's.
  const stack = [document.documentElement];
  while (stack.length && size < most) {
    const n = stack.pop();
    if (typeof n === "string") { put(n); continue; }
    if (!n) continue;
    if (n.nodeType === Node.TEXT_NODE) { put(text(n.data)); continue; }
    if (n.nodeType !== Node.ELEMENT_NODE) continue;
    const tag = n.localName;
    if (dropped.has(tag)) continue;
    if (raw.has(tag)) {
      if (isData(n)) put(`<script type="application/ld+json">${n.textContent.replace(/<\//g, "<\\/")}</script>`);
      continue;
    }
    let children = (n.shadowRoot || n).childNodes;
    if (tag === "slot") {
      const given = n.assignedNodes({ flatten: true });
      if (given.length) children = given;
      for (let i = children.length; i--;) stack.push(children[i]);
      continue;
    }
    put("<" + tag);
    attributes(n);
    put(">");
    if (voids.has(tag)) continue;
    stack.push(`</${tag}>`);
    for (let i = children.length; i--;) stack.push(children[i]);
  }
  return { url: location.href, html: "<!doctype html>" + out.join("") };
}

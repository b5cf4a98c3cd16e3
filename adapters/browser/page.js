// Runs in each document before its own scripts do.
(() => {
  // What could leave past a proxy, or outlive the page, is not there.
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel", "WebTransport", "SharedWorker"]) {
    delete globalThis[name];
  }
  delete Navigator.prototype.serviceWorker;
  globalThis.open = () => null;

  // A loop of requests would keep the whole browser busy, other pages too.
  const most = 900;
  let sent = 0;
  const fetch = globalThis.fetch, send = XMLHttpRequest.prototype.send;
  globalThis.fetch = function (...args) {
    return ++sent > most ? Promise.reject(new TypeError("too many requests")) : fetch.apply(this, args);
  };
  XMLHttpRequest.prototype.send = function (...args) {
    if (++sent > most) throw new DOMException("too many requests", "NetworkError");
    return send.apply(this, args);
  };

  // Timers that a page sets when it begins, for soon: it may show its text
  // then. Those that a timer sets are its heartbeat.
  const set = globalThis.setTimeout, clear = globalThis.clearTimeout;
  const soon = 3000;
  const due = new Map();
  let beating = false;
  globalThis.setTimeout = function setTimeout(f, ms, ...args) {
    if (beating || typeof f !== "function" || !(ms > 0 && ms <= soon)) {
      return set.call(globalThis, f, ms, ...args);
    }
    const id = set.call(globalThis, (...args) => {
      due.delete(id);
      beating = true;
      try {
        f.apply(globalThis, args);
      } finally {
        beating = false;
      }
    }, ms, ...args);
    if (due.size < 1000) {
      due.set(id, performance.now() + Number(ms));
    }
    return id;
  };
  globalThis.clearTimeout = function clearTimeout(id) {
    due.delete(id);
    clear.call(globalThis, id);
  };
  Object.defineProperty(globalThis, "__farwireTimers", {
    value: () => {
      const late = performance.now() - 500; // fired by now, unless the page is busy
      for (const at of due.values()) {
        if (at > late) return 1;
      }
      return 0;
    },
  });
})();

// Runs in each document of a tab that is not drawn: no frame ever comes, so
// what waits for one is called by a timer, and what asks what can be seen is
// told that all can, which also loads what a page keeps for those who scroll.
(() => {
  const set = globalThis.setTimeout;
  globalThis.requestAnimationFrame = (f) => set.call(globalThis, () => f(performance.now()), 16);
  globalThis.cancelAnimationFrame = (id) => clearTimeout(id);
  const box = (target) => {
    const r = target.getBoundingClientRect();
    return r.width || r.height ? r : new DOMRect(r.x, r.y, 1, 1);
  };
  class Observer {
    #tell; #seen = new Set(); #pending = [];
    constructor(tell) { this.#tell = tell; }
    observe(target) {
      if (!(target instanceof Element)) throw new TypeError("not an Element");
      if (this.#seen.has(target)) return;
      this.#seen.add(target);
      this.#pending.push(this.entry(target));
      if (this.#pending.length > 1) return;
      set.call(globalThis, () => {
        const entries = this.takeRecords();
        if (entries.length) this.#tell.call(this, entries, this);
      }, 16);
    }
    unobserve(target) {
      this.#seen.delete(target);
      this.#pending = this.#pending.filter((e) => e.target !== target);
    }
    disconnect() { this.#seen.clear(); this.#pending = []; }
    takeRecords() { return this.#pending.splice(0); }
  }
  globalThis.IntersectionObserver = class IntersectionObserver extends Observer {
    root = null; rootMargin = "0px"; thresholds = [0];
    entry(target) {
      const r = box(target);
      return { target, isIntersecting: true, intersectionRatio: 1, boundingClientRect: r, intersectionRect: r, rootBounds: null, time: performance.now() };
    }
  };
  globalThis.ResizeObserver = class ResizeObserver extends Observer {
    entry(target) {
      const r = box(target), size = [{ inlineSize: r.width, blockSize: r.height }];
      return { target, contentRect: r, contentBoxSize: size, borderBoxSize: size, devicePixelContentBoxSize: size };
    }
  };
})();

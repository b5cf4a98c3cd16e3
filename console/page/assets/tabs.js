// Tabs by the pattern of the ARIA Authoring Practices: one of them is in the
// tab order, the arrow keys, Home and End move among them, and the one with the
// focus is the one that is shown.

/**
 * tabs makes a list of buttons with aria-controls into tabs and returns a
 * function that shows one, by the id of its panel. Each change is told to
 * changed.
 *
 * @param {HTMLElement} list with role="tablist"
 * @param {(panel: string) => void} [changed]
 * @returns {(panel: string) => void}
 */
export function tabs(list, changed = () => {}) {
  const every = () => [...list.querySelectorAll('[role="tab"]')]; // they may come and go
  const panelOf = (tab) => tab.getAttribute('aria-controls');

  function select(chosen) {
    if (chosen.getAttribute('aria-selected') === 'true') return;
    for (const tab of every()) {
      const here = tab === chosen;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(panelOf(tab)).hidden = !here;
    }
    changed(panelOf(chosen));
  }

  const moves = {
    ArrowRight: (i, n) => (i + 1) % n,
    ArrowLeft: (i, n) => (i - 1 + n) % n,
    Home: () => 0,
    End: (i, n) => n - 1,
  };
  list.addEventListener('keydown', (event) => {
    const move = moves[event.key];
    const all = every();
    const at = all.indexOf(event.target);
    if (!move || at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = all[move(at, all.length)];
    next.focus();
    select(next);
  });
  list.addEventListener('click', (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) select(tab);
  });

  return (panel) => {
    const tab = every().find((candidate) => panelOf(candidate) === panel);
    if (tab) select(tab);
  };
}

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
  const all = [...list.querySelectorAll('[role="tab"]')];
  const panelOf = (tab) => tab.getAttribute('aria-controls');

  function select(chosen) {
    if (chosen.getAttribute('aria-selected') === 'true') return;
    for (const tab of all) {
      const here = tab === chosen;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(panelOf(tab)).hidden = !here;
    }
    changed(panelOf(chosen));
  }

  const moves = {
    ArrowRight: (i) => (i + 1) % all.length,
    ArrowLeft: (i) => (i - 1 + all.length) % all.length,
    Home: () => 0,
    End: () => all.length - 1,
  };
  list.addEventListener('keydown', (event) => {
    const move = moves[event.key];
    const at = all.indexOf(event.target);
    if (!move || at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = all[move(at)];
    next.focus();
    select(next);
  });
  list.addEventListener('click', (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) select(tab);
  });

  return (panel) => {
    const tab = all.find((candidate) => panelOf(candidate) === panel);
    if (tab) select(tab);
  };
}

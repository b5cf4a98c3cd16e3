// A theme that was chosen before is set before anything is drawn; this runs
// ahead of the page, and so is no module. Choosing one is in look.js.
try {
  const theme = localStorage.getItem('farwire.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the page follows the device.
}

// What the page keeps. On this device: the chosen theme, and the key of whoever
// asks for that. For as long as the browser's tab is open: targets and messages
// of earlier. Storage may be off or full; then nothing is kept, and the page
// works all the same.

const prefix = 'farwire.';
const most = 20; // of a list

/** recall returns what was kept under a name, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(prefix + name);
  } catch {
    return null;
  }
}

/** keep stores a value and reports whether that could be done. */
export function keep(name, value) {
  try {
    localStorage.setItem(prefix + name, value);
    return true;
  } catch {
    return false;
  }
}

/** forget removes what was kept. */
export function forget(name) {
  try {
    localStorage.removeItem(prefix + name);
  } catch {
    // Where storage is off there is nothing to remove.
  }
}

/** earlier returns the values of a list, the newest first. */
export function earlier(list) {
  try {
    return JSON.parse(sessionStorage.getItem(prefix + list) ?? '[]');
  } catch {
    return [];
  }
}

/** remember puts a value at the head of a list. */
export function remember(list, value) {
  if (!value) return;
  try {
    sessionStorage.setItem(prefix + list, JSON.stringify([value, ...earlier(list).filter((other) => other !== value)].slice(0, most)));
  } catch {
    // Then it is not there next time.
  }
}

/** lastFile returns the file that was kept of a site, or null. */
export function lastFile(site) {
  return earlier(`file ${site}`)[0] ?? null;
}

/** keepFile keeps the file of a site, in place of the one before. */
export function keepFile(site, text) {
  try {
    sessionStorage.setItem(`${prefix}file ${site}`, JSON.stringify([text]));
  } catch {
    // It is larger than the storage; the next one has nothing to be compared with.
  }
}

/** forgetAll removes the lists and the files. */
export function forgetAll() {
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(prefix)) sessionStorage.removeItem(name);
  } catch {
    // Where storage is off there is nothing to remove.
  }
}

// What the page keeps on this device: the chosen theme, and the key of whoever
// asks for that. Storage may be off or full; then nothing is kept, and the page
// works all the same.

const prefix = 'farwire.';

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

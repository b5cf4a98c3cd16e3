// Whose console this is. A key is tried before it is taken, stays in memory,
// and is kept on the device only for whoever ticks the box.

import { find } from './dom.js';
import { needsKey, read, useKey } from './gateway.js';
import { clear, complain, Mistake, object, troubleOf } from './notice.js';
import { forget, forgetAll, keep, recall } from './store.js';

/**
 * startKey asks for a key, or takes the one that is remembered, and calls
 * entered when the gateway knows it.
 *
 * @param {() => void} entered
 */
export function startKey(entered) {
  const field = find('key');
  const box = find('remember');

  find('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const key = field.value.trim();
    if (key || !needsKey) {
      enter(key, box.checked);
      return;
    }
    object(find('key-notice'), new Mistake('There is no key yet.', 'key', 'Paste one into the field above.'));
  });

  // A page that is loaded anew holds nothing of the one whose key this was: no
  // open socket, no message, no result.
  find('leave').addEventListener('click', () => {
    forget('key');
    forgetAll();
    location.hash = asking;
    location.reload();
  });

  async function enter(key, remember) {
    clear(find('key-notice'));
    find('enter').disabled = true;
    useKey(key);
    try {
      const { subject } = await read('usage');
      if (remember) keep('key', key);
      else forget('key');
      field.value = '';
      find('welcome').hidden = true;
      find('account').hidden = false;
      find('subject').textContent = subject;
      find('leave').textContent = recall('key') === null ? 'Change key' : 'Forget key';
      entered();
    } catch (error) {
      useKey('');
      ask();
      complain(find('key-notice'), troubleOf(error));
      field.select();
    } finally {
      find('enter').disabled = false;
    }
  }

  function ask() {
    find('welcome').hidden = false;
    field.focus();
  }

  const remembered = recall('key');
  if (remembered) {
    box.checked = true;
    field.value = remembered;
    enter(remembered, true);
  } else if (needsKey || location.hash === asking) {
    ask();
  } else {
    enter('', false);
  }
}

const asking = '#key'; // an address that asks for a key even where none is needed

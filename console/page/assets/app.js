// The page: a key first, then the panels behind tabs. Each panel has a module of
// its own that knows nothing of the others.

import { startAbout } from './about.js';
import { startAMQP } from './amqp.js';
import { startCode } from './code.js';
import { startCrawl } from './crawl.js';
import { find } from './dom.js';
import { startHTTP } from './http.js';
import { startKey } from './key.js';
import { startLook } from './look.js';
import { lookOnce, startNetwork, watchNetwork } from './network.js';
import { startRelay } from './relay.js';
import { showSites } from './sites.js';
import { tabs } from './tabs.js';

startLook();
startAbout();
startCode();
startRelay();
startHTTP();
startAMQP();
startCrawl();
startNetwork();

let open = false; // whether there is a key
let shown = ''; // the panel

const show = tabs(find('tabs'), (panel) => {
  shown = panel;
  history.replaceState(null, '', `#${panel}`);
  document.title = `${find(`tab-${panel}`).textContent} · Farwire`;
  watchNetwork(open && panel === 'network');
  if (open && panel === 'crawl') showSites();
});

// The address says which panel is shown, so that one can be linked to. What it
// says of no panel changes nothing.
addEventListener('hashchange', () => { if (open) show(location.hash.slice(1)); });

startKey(() => {
  open = true;
  find('tabs').hidden = false;
  find('panels').hidden = false;
  const asked = location.hash.slice(1);
  show('relay');
  show(asked);
  lookOnce();
  find(`tab-${shown}`).focus();
});

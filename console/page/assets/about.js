// What this page is of, and where more is written.

import { find, make, outward } from './dom.js';
import { version } from './gateway.js';

const project = 'https://github.com/farwire/farwire';

/** startAbout draws the foot of the page. */
export function startAbout() {
  // Of a release there are the documents as they were then.
  const at = `${project}/blob/${/^v\d+\.\d+\.\d+$/.test(version) ? version : 'main'}`;
  const links = {
    Documentation: `${at}/README.md#where-to-read-on`, 'This console': `${at}/docs/console.md`, 'HTTP (OpenAPI)': `${at}/docs/openapi.yaml`,
    'WebSockets (AsyncAPI)': `${at}/docs/asyncapi.yaml`, Changes: `${at}/CHANGELOG.md`,
  };
  find('about').replaceChildren(
    make('span', {}, version === 'unknown' ? 'Farwire' : `Farwire ${version}`),
    ...Object.entries(links).map(([text, address]) => outward(address, text)),
  );
}

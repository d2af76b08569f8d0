// Upstreams by SRV records: a real bind9 on port 53 of a network namespace.
import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, freePort, portero, waitFor } from './harness.mjs';
import { bind, nsupdate } from './lib/bind.mjs';
import { inNamespace } from './lib/netns.mjs';

inNamespace(import.meta.url, 'srv: upstreams by SRV records, which change', 1, () => {
  test('srv: hosts and ports of the lowest priority', async (t) => {
    const ports = [await freePort(), await freePort()];
    const name = (port) => backend(t, (request, response) => response.end(`${port}`),
      { where: { port, host: '127.0.0.1' } });
    for (const port of ports) await name(port);
    await bind(t, { zones: { 'app.test': { update: '127.0.0.1;', records: [
      '@ IN NS ns1', 'ns1 IN A 127.0.0.1', 'one IN A 127.0.0.1',
      `_http._tcp IN SRV 10 5 ${ports[0]} one`, '_http._tcp IN SRV 20 1 9 one',
    ] } } });
    const edge = await portero(t, `
sites:
  http://a.test: {proxy: {to: "srv://_http._tcp.app.test", resolve: 1s}}
`);
    const ask = async () => (await edge.get('/', { host: 'a.test', tls: false })).text;
    for (let i = 0; i < 6; ++i) assert.equal(await ask(), `${ports[0]}`);
    await nsupdate('zone app.test', 'update delete _http._tcp.app.test SRV',
      `update add _http._tcp.app.test 60 SRV 10 1 ${ports[1]} one.app.test.`);
    await waitFor('the new record', async () => await ask() === `${ports[1]}`);
  });
});

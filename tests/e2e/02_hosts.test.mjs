import assert from 'node:assert/strict';
import test from 'node:test';

import { freePort, h2request, portero } from './harness.mjs';

const sites = `
sites:
  app.test: {respond: app}
  "*.wild.test": {respond: "wild {host}"}
  http://plain.test: {respond: plain}
  one.test, two.test: {respond: both}
`;

test('hosts: which site answers', async (t) => {
  const edge = await portero(t, sites);
  const plain = (host, target = '/') => edge.get(target, { host, tls: false });

  await t.test('plain HTTP of a TLS site is redirected, with host, path and query', async () => {
    const answer = await plain('app.test', '/a/b%20c?d=e&f');
    assert.equal(answer.status, 308);
    assert.equal(answer.headers.location, edge.url('/a/b%20c?d=e&f', 'app.test'));
  });
  await t.test('a POST is redirected too and not read', async () => {
    const answer = await edge.get('/', { host: 'app.test', tls: false, method: 'POST', body: 'x' });
    assert.equal(answer.status, 308);
  });
  await t.test('a site written with http:// is served plain', async () => {
    assert.equal((await plain('plain.test')).text, 'plain');
  });
  await t.test('an unknown host is 404 over plain HTTP', async () => {
    const answer = await plain('nobody.test');
    assert.equal(answer.status, 404);
    assert.ok(answer.text.length > 0 && answer.text.length < 500);
  });
  await t.test('an unknown host is 421 over TLS', async () => {
    const answer = await edge.get('/', { host: 'nobody.test', servername: 'app.test' });
    assert.equal(answer.status, 421);
  });
  await t.test('an unknown :authority is 421 over HTTP/2, and the session goes on', async () => {
    const session = await edge.h2('app.test');
    assert.equal((await h2request(session, { ':authority': 'nobody.test' })).status, 421);
    assert.equal((await h2request(session, { ':path': '/' })).text, 'app');
  });
  await t.test('several names share a block', async () => {
    assert.equal((await edge.get('/', { host: 'one.test' })).text, 'both');
    assert.equal((await edge.get('/', { host: 'two.test' })).text, 'both');
  });
  await t.test('a wildcard stands for one label', async () => {
    assert.equal((await edge.get('/', { host: 'a.wild.test' })).text, 'wild a.wild.test');
    const deep = await edge.get('/', { host: 'a.b.wild.test', servername: 'a.wild.test' });
    assert.equal(deep.status, 421);
  });
  await t.test('Host is compared without case and with any port', async () => {
    assert.equal((await edge.get('/', { host: 'PLAIN.test:8080', tls: false })).text, 'plain');
  });
  await t.test('no Host, two Hosts and a broken Host are 400', async () => {
    for (const fields of ['', 'Host: a.test\r\nHost: b.test\r\n', 'Host: a b\r\n', 'Host: a/b\r\n',
                          'Host: user@app.test\r\n', 'Host: app.test:80:80\r\n']) {
      const wire = await edge.wire();
      const answer = await wire.write(`GET / HTTP/1.1\r\n${fields}\r\n`).answer();
      assert.equal(answer.status, 400, fields);
      await wire.rest();
    }
  });
});

test('hosts: a site on a port of its own', async (t) => {
  const port = await freePort();
  const edge = await portero(t, `sites:\n  "http://localhost:${port}": {respond: own}\n`,
                             { ready: port });
  const wire = await edge.wire({ port });
  const answer = await wire.write(`GET / HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`).answer();
  assert.equal(answer.text, 'own');
});

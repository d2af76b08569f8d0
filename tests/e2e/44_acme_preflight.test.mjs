// What is seen before an authority is asked. Ports 80, 443 and 53 need a network namespace.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import tls from 'node:tls';

import { portero, temporaryFolder, waitFor } from './harness.mjs';
import { certs, failure, issuer, obtained } from './lib/acme.mjs';
import { bind } from './lib/bind.mjs';
import { selfSigned } from './lib/certificates.mjs';
import { inNamespace } from './lib/netns.mjs';
import { acmeFront, pebble } from './lib/pebble.mjs';

const zones = {
  'example.com': {
    records: ['@ IN NS ns1', 'ns1 IN A 127.0.0.1', '@ IN A 127.0.0.1', 'www IN A 127.0.0.1',
      'away IN A 127.0.0.2', 'mail IN MX 10 www', 'private IN A 127.0.0.1',
      'closed IN A 127.0.0.1', 'closed IN CAA 0 issue "other.example; validationmethods=dns-01"',
      'open IN A 127.0.0.1', 'open IN CAA 0 issue "Pebble.example"'],
  },
};

// A server on the ports that authorities ask, and an authority that counts its orders.
async function start(t, name, { issuers, challenges, settings = '' } = {}) {
  await bind(t, { zones });
  const authority = await pebble(t, { ports: [80, 443], dns: '127.0.0.1:53' });
  const front = await acmeFront(t, authority, {
    extra: () => ({ meta: { caaIdentities: ['pebble.example'] } }),
  });
  const edge = await portero(t, `
acme:
  issuers: ${issuers ?? `[${issuer(front)}]`}
  resolvers: ["127.0.0.1:53"]
  ${challenges ? `challenges: ${challenges}` : ''}
  ${settings}
sites:
  ${name}: {respond: ok}
`, { ports: [80, 443] });
  return { edge, orders: () => authority.count('Added order') };
}

// Another server at 127.0.0.2, on both ports.
async function otherServer(t, answer = (request, reply) => reply.writeHead(404).end('not here')) {
  const { cert, key } = selfSigned(temporaryFolder(), 'other');
  const servers = [http.createServer(answer),
    tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) })];
  const ports = [80, 443];
  for (const [i, server] of servers.entries()) {
    server.listen(ports[i], '127.0.0.2');
    await once(server, 'listening');
    t.after(() => server.close());
  }
  t.after(() => servers[0].closeAllConnections());
}

function tests() {
  test('preflight: what is well is asked for', async (t) => {
    const { edge, orders } = await start(t, 'www.example.com, open.example.com');
    await obtained(edge, ['www.example.com', 'open.example.com']);
    assert.equal(orders(), 2);
    assert.equal(edge.stderr.includes('acme.preflight'), false);
  });

  test('preflight: a name without an address', async (t) => {
    const { edge, orders } = await start(t, 'nowhere.example.com, mail.example.com');
    for (const name of ['nowhere.example.com', 'mail.example.com']) {
      assert.match(await failure(edge, name), new RegExp(
        `^preflight, nobody was asked: ${name} has no A and no AAAA record: add one with this`));
    }
    assert.equal(orders(), 0);
  });

  test('preflight: an address that no public authority can reach', async (t) => {
    const { edge } = await start(t, 'private.example.com', { issuers: 'letsencrypt' });
    assert.match(await failure(edge, 'private.example.com'),
      /private\.example\.com points to 127\.0\.0\.1, which no public authority can reach/);
  });

  test('preflight: CAA', async (t) => {
    const { edge, orders } = await start(t, 'closed.example.com');
    assert.match(await failure(edge, 'closed.example.com'),
      /CAA records of closed\.example\.com do not allow .* add `0 issue "pebble\.example"`/);
    assert.equal(orders(), 0);
  });

  test('preflight: somebody else answers', async (t) => {
    await otherServer(t);
    const { edge, orders } = await start(t, 'away.example.com');
    const said = await failure(edge, 'away.example.com');
    assert.match(said, /tls-alpn-01: 127\.0\.0\.2 is answered by another server on port 443/);
    assert.match(said, /http-01: 127\.0\.0\.2 is answered by another server on port 80: let the/);
    assert.equal(orders(), 0);

    // It may be a router that answers for its own address: in the end the authority is asked.
    for (const count of [2, 3]) {
      await edge.command('certs', 'renew', 'away.example.com');
      await waitFor(`failure ${count}`, async () => {
        const row = (await certs(edge))['away.example.com'];
        return row.failures === count && !row.in_progress;
      });
      assert.equal(orders() > 0, count === 3);
    }
  });

  test('preflight: only the way that is open is asked for', async (t) => {
    // As a CDN does: TLS ends there, plain HTTP is passed on.
    await otherServer(t, (request, reply) => {
      http.get({ host: '127.0.0.1', path: request.url, headers: request.headers }, (answer) => {
        reply.writeHead(answer.statusCode, answer.headers);
        answer.pipe(reply);
      });
    });
    const { edge, orders } = await start(t, 'away.example.com');
    const rows = await obtained(edge, ['away.example.com']);
    assert.equal(rows['away.example.com'].challenge, 'http-01');
    assert.equal(orders(), 1);
  });

  test('preflight: switched off', async (t) => {
    const { edge, orders } = await start(t, 'nowhere.example.com', {
      settings: 'preflight: false',
    });
    assert.doesNotMatch(await failure(edge, 'nowhere.example.com'), /preflight/);
    assert.ok(orders() > 0);
  });
}

inNamespace(import.meta.url, 'acme: preflight', 7, tests);

// dns-01: dynamic updates to a real bind9, whose port 53 needs a network namespace.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { freePort, pause, portero, temporaryFolder, waitFor } from './harness.mjs';
import { certs, failure, issuer, obtained } from './lib/acme.mjs';
import { bind, nsupdate, texts, tsigKey } from './lib/bind.mjs';
import { dnsServices } from './lib/dns_services.mjs';
import { inNamespace } from './lib/netns.mjs';
import { isPublic, pebble, shown } from './lib/pebble.mjs';

const address = (zone) => [
  '@ IN NS ns1', 'ns1 IN A 127.0.0.1', '@ IN A 127.0.0.1', '* IN A 127.0.0.1',
  ...(zone === 'twice.test' ? ['@ IN NS ns2', 'ns2 IN A 127.0.0.2'] : []),
];
const signed = { update: `key ${tsigKey.name};` };
const local = { update: '127.0.0.1;' };
const zones = {
  'example.com': { records: address('example.com'), ...signed },
  'twice.test': { records: address('twice.test'), ...signed },
  'locked.test': { records: address('locked.test') },
  'shop.test': {
    records: [...address('shop.test'), '_acme-challenge.www IN CNAME shop.example.com.',
      '_acme-challenge.round IN CNAME _acme-challenge.round'],
  },
  'api.test': { records: address('api.test'), ...local },
};
const rfc2136 = (more = {}) => JSON.stringify({
  provider: 'rfc2136', server: '127.0.0.1:53', key_name: tsigKey.name, key: tsigKey.secret, ...more,
});

// A server under test with one site of `names` per dns-01; its authority asks bind, as it does.
// `asked`: the ports that the authority asks, where they are others than the server's.
async function start(t, names, dns, { challenges = 'dns-01', asked } = {}) {
  const ports = [await freePort(), await freePort()];
  const authority = await pebble(t, { ports: asked ?? ports, dns: '127.0.0.1:53' });
  const edge = await portero(t, `
acme:
  issuers: [${issuer(authority)}]
  resolvers: ["127.0.0.1:53"]
  dns: ${dns}
  ${challenges && `challenges: ${challenges}`}
sites:
  ${JSON.stringify(names.join(', '))}: {tls: {issuers: ${issuer(authority)}}, respond: ok}
`, { ports });
  edge.rows = () => certs(edge);
  edge.obtained = (seconds) => obtained(edge, names, seconds);
  edge.failure = () => failure(edge, names[0]);
  edge.authority = authority;
  return edge;
}

async function usesService(t, provider, settings) {
  const service = await dnsServices(t, provider);
  await nsupdate('zone api.test', 'update delete _acme-challenge.api.test TXT',
    'update add _acme-challenge.api.test 60 TXT "of somebody else"');
  const edge = await start(t, ['*.api.test', 'api.test'],
    JSON.stringify({ provider, api: service.url, ...settings(service) }));
  await edge.obtained();
  assert.equal((await edge.rows())['*.api.test'].challenge, 'dns-01');
  assert.ok(isPublic(await shown(edge.httpsPort, 'any.api.test')));
  return { edge, service };
}

// Once in a hundred times Pebble takes an earlier proof, even with PEBBLE_AUTHZREUSE=0.
async function failureToRenew(edge) {
  const obtained = () => edge.stderr.split('"acme.obtained"').length;
  for (let i = 0; i < 5; i++) {
    const before = obtained();
    await edge.command('certs', 'renew', '*.api.test');
    let row;
    await waitFor('an end of the renewal', async () => {
      row = (await edge.rows())['*.api.test'];
      return !row.in_progress && (row.last_error || obtained() > before);
    }, 20);
    if (row.last_error) return row.last_error;
  }
  return 'none';
}

async function leavesOthersAlone() {
  assert.deepEqual(await texts('_acme-challenge.api.test'), ['of somebody else']);
}

function tests() {
  test('dns: a wildcard, its own name, and one by a CNAME into another zone', async (t) => {
    await bind(t, { zones });
    const names = ['*.example.com', 'example.com', 'www.shop.test'];
    const edge = await start(t, names, rfc2136());
    await edge.obtained();
    const rows = await edge.rows();
    assert.equal(rows['*.example.com'].challenge, 'dns-01');
    assert.equal(rows['*.example.com'].why, 'only DNS proves a wildcard');
    assert.match((await edge.command('certs')).stdout, /proven by +dns-01 \(only DNS proves/);
    for (const name of ['any.example.com', 'example.com', 'www.shop.test']) {
      assert.ok(isPublic(await shown(edge.httpsPort, name)), name);
    }
    assert.equal((await shown(edge.httpsPort, 'any.example.com')).subjectaltname,
      'DNS:*.example.com');
    assert.deepEqual(await texts('_acme-challenge.example.com'), [], 'nothing is left');
    assert.deepEqual(await texts('shop.example.com'), [], 'nothing is left');
  });

  test('dns: a name below a wildcard has no order of its own', async (t) => {
    await bind(t, { zones });
    const edge = await start(t, ['*.example.com', 'www.example.com'], rfc2136());
    await edge.obtained();
    const row = (await edge.rows())['www.example.com'];
    assert.equal(row.why, 'the certificate of *.example.com serves it');
    assert.equal((await shown(edge.httpsPort, 'www.example.com')).subjectaltname,
      'DNS:*.example.com');
    await pause(1_000);
    assert.equal(edge.authority.count('Added order'), 1);
    // A wish that is spoken out counts more.
    await edge.command('certs', 'renew', 'www.example.com');
    await waitFor('its own certificate', async () =>
      (await shown(edge.httpsPort, 'www.example.com')).subjectaltname === 'DNS:www.example.com');
    const locked = await start(t, ['*.locked.test', 'www.locked.test'], rfc2136(), {
      challenges: '[http-01, dns-01]',
    });
    await waitFor('a certificate in another way', async () =>
      (await locked.rows())['www.locked.test'].challenge === 'http-01');
  });

  test('dns: the authority is told when every name server has the record', async (t) => {
    await bind(t, { zones });
    const edge = await start(t, ['*.twice.test'], rfc2136());
    await waitFor('the record', async () =>
      (await texts('_acme-challenge.twice.test')).length === 1);
    await pause(1_000);
    assert.equal(edge.authority.count('Pulled a task'), 0);
    await bind(t, { address: '127.0.0.2', primary: '127.0.0.1', zones });
    await edge.obtained(30);
    assert.equal(edge.authority.count('set INVALID'), 0);
  });

  test('dns: what goes wrong is said in words', async (t) => {
    await bind(t, { zones });
    const wrongKey = await start(t, ['*.example.com'], rfc2136({ key: 'bm8gc3VjaCBrZXk=' }));
    assert.match(await wrongKey.failure(), /does not accept the TSIG key "acme\."/);
    const locked = await start(t, ['*.locked.test'], rfc2136());
    assert.match(await locked.failure(), /answers REFUSED to an update of locked\.test: let the/);
    const nobody = await start(t, ['*.example.com'], rfc2136({ server: '127.0.0.9:53' }));
    assert.match(await nobody.failure(), /DNS server 127\.0\.0\.9:53 does not answer an update/);
    const round = await start(t, ['round.shop.test'], rfc2136());
    assert.match(await round.failure(),
      /the CNAMEs of _acme-challenge\.round\.shop\.test go round|cannot be looked up/);
  });

  test('dns: without `challenges` it is the last of them', async (t) => {
    await bind(t, { zones });
    // Nothing listens where the authority asks, so only DNS is left.
    const edge = await start(t, ['www.example.com'], rfc2136(), {
      challenges: '', asked: [await freePort(), await freePort()],
    });
    await edge.obtained();
    const { challenge, why } = (await edge.rows())['www.example.com'];
    assert.equal(challenge, 'dns-01');
    assert.match(why, /^after tls-alpn-01: .*; then http-01: /);
  });

  test('dns: unsigned updates, and a command of the user', async (t) => {
    await bind(t, { zones });
    const plain = await start(t, ['*.api.test'],
      JSON.stringify({ provider: 'rfc2136', server: '127.0.0.1:53' }));
    await plain.obtained();
    const command = path.join(temporaryFolder(), 'hook');
    writeFileSync(command, `#!/bin/sh
test "$PORTERO_DNS_ACTION $PORTERO_DNS_NAME $PORTERO_DNS_VALUE" = "$*" || exit 9
case $1 in present) change="add $2 60" ;; cleanup) change="delete $2" ;; esac
printf 'server 127.0.0.1\\nzone %s\\nupdate %s TXT "%s"\\nsend\\n' \\
  "$PORTERO_DNS_ZONE" "$change" "$3" | nsupdate
`, { mode: 0o755 });
    const edge = await start(t, ['*.api.test'], JSON.stringify({ provider: 'exec', command }));
    await edge.obtained();
    assert.deepEqual(await texts('_acme-challenge.api.test'), []);
    writeFileSync(command, '#!/bin/sh\necho the zone is closed on Sundays\nexit 3\n');
    const failing = await start(t, ['*.api.test'], JSON.stringify({ provider: 'exec', command }));
    assert.match(await failing.failure(),
      /the DNS hook \/.*\/hook ended with status 3: the zone is closed on Sundays/);
  });

  for (const provider of ['cloudflare', 'hetzner', 'digitalocean']) {
    test(`dns: ${provider}`, async (t) => {
      await bind(t, { zones });
      const { edge, service } = await usesService(t, provider, ({ token }) => ({ token }));
      await leavesOthersAlone();
      service.token = 'another';
      assert.match(await failureToRenew(edge), /answers 40[13]: .*; check `acme\.dns`/);
    });
  }

  test('dns: route53', async (t) => {
    await bind(t, { zones });
    const { edge, service } = await usesService(t, 'route53', ({ id, secret }) => ({
      access_key_id: id, secret_access_key: secret, session_token: 'of a role',
    }));
    await leavesOthersAlone();
    service.secret = 'another';
    assert.match(await failureToRenew(edge), /Route 53 answers 403: The request signature/);
  });

  test('dns: acme-dns, reached by a CNAME', async (t) => {
    await bind(t, {
      zones: {
        ...zones,
        'shop.test': { records: [...address('shop.test'),
          '_acme-challenge IN CNAME 8e5700ea.api.test.'] },
      },
    });
    const service = await dnsServices(t, 'acme-dns');
    const dns = { provider: 'acme-dns', api: service.url, username: service.id,
      password: service.secret, subdomain: '8e5700ea' };
    const edge = await start(t, ['*.shop.test'], JSON.stringify(dns));
    await edge.obtained();
    const other = await start(t, ['*.api.test'], JSON.stringify(dns));
    assert.match(await other.failure(), /make it a CNAME for the `fulldomain` that begins with 8e/);
  });
}

inNamespace(import.meta.url, 'acme: dns-01 with bind9 and the services\' interfaces', 11, tests);

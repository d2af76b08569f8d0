// Certificates from a public authority: Pebble in its strict mode, with nonces that it refuses.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';

import { freePort, pause, Portero, portero, temporaryFolder, waitFor } from './harness.mjs';
import { certs, issuer, obtained, somePorts } from './lib/acme.mjs';
import { acmeFront, isPublic, pebble, shown } from './lib/pebble.mjs';

test('acme: both challenges, an address, and what a person sees', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const edge = await portero(t, `
email: admin@example.com
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  www.example.com: {respond: www}
  api.example.com:
    tls: {challenges: http-01}
    respond: api
  127.0.0.1:
    tls: {issuers: ${issuer(authority)}, challenges: [http-01]}
    respond: address
  quiet.test: {respond: quiet}
`, { ports });
  const names = ['www.example.com', 'api.example.com', '127.0.0.1'];
  const rows = await obtained(edge, names);

  await t.test('every worker shows the new chain within a second', async () => {
    await pause(1_000);
    for (let i = 0; i < 20; i += 1) {
      assert.ok(isPublic(await shown(edge.httpsPort, 'www.example.com')));
    }
    assert.match((await shown(edge.httpsPort, 'api.example.com')).subjectaltname, /api\.example/);
    assert.match((await shown(edge.httpsPort)).subjectaltname, /127\.0\.0\.1/);
  });
  await t.test('the chain ends in the authority\'s root', async () => {
    const answer = await edge.get('/', { host: 'www.example.com', ca: await authority.root() });
    assert.equal(answer.text, 'www');
  });
  await t.test('names of this machine keep the internal CA', async () => {
    assert.match((await shown(edge.httpsPort, 'quiet.test')).issuer.CN, /internal CA/);
  });
  await t.test('`certs` tells issuer, proof and renewal', async () => {
    assert.equal(rows['www.example.com'].challenge, 'tls-alpn-01');
    assert.equal(rows['api.example.com'].challenge, 'http-01');
    const { stdout } = await edge.command('certs');
    assert.match(stdout, /www\.example\.com\n {2}certificate {2}\d{4}-.* days\)\n {2}issuer/);
    assert.match(stdout, /proven by +tls-alpn-01/);
  });
  await t.test('keys are readable for their own user only', () => {
    for (const file of readdirSync(path.join(edge.storage, 'acme'), { recursive: true })) {
      assert.equal(statSync(path.join(edge.storage, 'acme', file)).mode & 0o077, 0, file);
    }
  });
  await t.test('one account, with the address of mail', () => {
    assert.equal(authority.count('There are now 1 accounts'), 1);
    assert.equal(authority.count('There are now 2 accounts'), 0);
  });
  await t.test('a start serves from the storage and asks nobody', async () => {
    const before = (await shown(edge.httpsPort, 'www.example.com')).fingerprint256;
    const orders = authority.count('Added order');
    await edge.stop();
    authority.child.kill('SIGSTOP');
    await edge.start();
    assert.equal((await shown(edge.httpsPort, 'www.example.com')).fingerprint256, before);
    authority.child.kill('SIGCONT');
    assert.equal(authority.count('Added order'), orders);
  });
  await t.test('`certs renew` orders anew; a live connection notices nothing', async () => {
    const before = (await shown(edge.httpsPort, 'www.example.com')).fingerprint256;
    const live = tls.connect({
      port: edge.httpsPort, host: '127.0.0.1', servername: 'www.example.com',
      rejectUnauthorized: false,
    });
    await once(live, 'secureConnect');
    const { stdout, code } = await edge.command('certs', 'renew', 'WWW.example.com');
    assert.equal(code, 0);
    assert.match(stdout, /a new certificate is ordered/);
    await waitFor('the new certificate', async () =>
      (await shown(edge.httpsPort, 'www.example.com')).fingerprint256 !== before);
    live.write('GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n');
    const [answer] = await once(live, 'data');
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    live.destroy();
  });
  await t.test('`--revoke` has the old one revoked', async () => {
    const { fingerprint256, serialNumber } = await shown(edge.httpsPort, 'www.example.com');
    const { code } = await edge.command('certs', 'renew', '--revoke', 'www.example.com');
    assert.equal(code, 0);
    await waitFor('the new certificate', async () =>
      (await shown(edge.httpsPort, 'www.example.com')).fingerprint256 !== fingerprint256);
    assert.equal((await authority.standing(serialNumber)).Status, 'Revoked');
  });
  await t.test('a name without one is told so', async () => {
    const { stderr, code } = await edge.command('certs', 'renew', 'quiet.test');
    assert.equal(code, 1);
    assert.match(stderr, /quiet\.test has no certificate of a public authority/);
  });
  await t.test('a file that makes no sense is set aside and replaced', async () => {
    const file = path.join(edge.storage, 'acme/certificates/www.example.com/certificate.pem');
    await edge.stop();
    writeFileSync(file, readFileSync(file).subarray(0, 100));
    await edge.start();
    await waitFor('another certificate', async () =>
      isPublic(await shown(edge.httpsPort, 'www.example.com')));
    assert.ok(readdirSync(path.dirname(file)).includes('certificate.pem.bad'));
  });
});

test('acme: twenty names from an empty storage in less than five seconds', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const names = Array.from({ length: 20 }, (_, i) => `n${i}.example.com`);
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  ${names.join(', ')}: {respond: ok}
`, { ports });
  await obtained(edge, names, 30);
  assert.equal(authority.count('There are now 2 accounts'), 0);
  const times = edge.stderr.split('\n').filter((line) => line.includes('acme.obtained'))
    .map((line) => Date.parse(JSON.parse(line).time));
  const started = Date.parse(JSON.parse(edge.stderr.split('\n')
    .find((line) => line.includes('server.started'))).time);
  const seconds = (Math.max(...times) - started) / 1000;
  t.diagnostic(`${seconds} s`);
  assert.ok(seconds < 5, `${seconds} s`);
});

test('acme: an account that is bound to one elsewhere', async (t) => {
  const ports = await somePorts();
  const hmac = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
  const authority = await pebble(t, { ports, eab: { 'kid-1': hmac } });
  const config = (eab) => `
acme: {preflight: false, issuers: [${issuer(authority, eab)}]}
sites:
  www.example.com: {respond: www}
`;
  const edge = await portero(t, config(''), { ports });
  await waitFor('the refusal', async () => (await certs(edge))['www.example.com'].last_error);
  assert.match((await certs(edge))['www.example.com'].last_error, /give `eab: \{kid, hmac\}`/);
  edge.write(config(`, eab: {kid: kid-1, hmac: ${hmac}}`));
  assert.equal((await edge.command('reload')).code, 0);
  await obtained(edge, ['www.example.com']);
});

test('acme: the next issuer when one is down, the next challenge when one fails', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const nobody = await freePort();
  const edge = await portero(t, `
acme:
  preflight: false
  issuers:
    - {directory: "https://localhost:${nobody}/dir"}
    - ${issuer(authority)}
sites:
  www.example.com: {respond: www}
`, { ports });
  const rows = await obtained(edge, ['www.example.com']);
  assert.equal(rows['www.example.com'].issuer, `localhost:${authority.port}`);
  assert.equal(rows['www.example.com'].last_error, '');

  // Pebble looks for TLS where nobody listens.
  const [http, https] = await somePorts();
  const deaf = await pebble(t, { ports: [http, await freePort()] });
  const other = await portero(t, `
acme: {preflight: false, issuers: [${issuer(deaf)}]}
sites:
  www.example.com: {respond: www}
`, { ports: [http, https] });
  const others = await obtained(other, ['www.example.com']);
  assert.equal(others['www.example.com'].challenge, 'http-01');
});

test('acme: killed at any moment, it ends with a certificate and one account', async (t) => {
  const ports = await somePorts();
  const delays = { PEBBLE_VA_NOSLEEP: '0', PEBBLE_VA_SLEEPTIME: '1' };
  const authority = await pebble(t, { ports, env: delays });
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  www.example.com: {respond: www}
`, { ports });
  for (const ms of [5, 20, 40, 80, 30, 60, 100, 150, 300]) {
    await pause(ms);
    await edge.stop('SIGKILL');
    await edge.start();
  }
  await obtained(edge, ['www.example.com'], 60);
  assert.ok(isPublic(await shown(edge.httpsPort, 'www.example.com')));
  assert.equal(authority.count('There are now 2 accounts'), 0);
  // Each start goes on with the order that was left: more of them than a name may have in an hour.
  assert.ok(authority.count('Added order') <= 5);
  const folder = path.join(edge.storage, 'acme/certificates/www.example.com');
  assert.ok(!readdirSync(folder).some((file) => file.endsWith('.bad') || file === 'order.json'));
});

test('acme: killed at any step of the storage, likewise', { timeout: 120_000 }, async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const config = `
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  www.example.com: {respond: www}
`;
  let accounts = 0;
  let killed = true;
  for (let step = 1; killed; step += 1) {
    assert.ok(step < 30, 'the order never ended');
    const edge = new Portero(temporaryFolder(), ...ports);
    edge.write(config);
    // Every file gets its place by a rename; the process is killed as its n-th one (of a thread)
    // begins.
    const kill = `inject=rename:signal=SIGKILL:when=${step}`;
    const strace = ['strace', '-f', '-qqq', '-o', '/dev/null',
      '-e', 'trace=rename', '-e', kill];
    await edge.start({ through: strace }).catch(() => {});
    await waitFor('the end', () => !edge.running || edge.stderr.includes('acme.obtained'), 20);
    killed = !edge.running;
    if (killed) await edge.start();
    await obtained(edge, ['www.example.com']);
    assert.ok(isPublic(await shown(edge.httpsPort, 'www.example.com')), `step ${step}`);
    await edge.command('stop');  // a signal would reach strace alone
    await edge.exited;
    accounts += 1;
    assert.equal(authority.count(`There are now ${accounts} accounts`), 1, `step ${step}`);
    assert.equal(authority.count(`There are now ${accounts + 1} accounts`), 0, `step ${step}`);
  }
  t.diagnostic(`${accounts} runs`);
  assert.ok(accounts > 8, `${accounts} runs`);
});

test('acme: an old certificate is renewed; a wrong clock orders no storm', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  www.example.com: {respond: www}
`, { ports });
  await obtained(edge, ['www.example.com']);
  const first = await shown(edge.httpsPort, 'www.example.com');
  await edge.stop();
  // Seven tenths of its life later.
  const life = (Date.parse(first.valid_to) - Date.parse(first.valid_from)) / 86_400_000;
  const env = {
    LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
    FAKETIME: `+${Math.round(life * 0.7)}d`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  await edge.start({ env });
  await waitFor('the renewal', async () =>
    (await shown(edge.httpsPort, 'www.example.com')).fingerprint256 !== first.fingerprint256);
  // Pebble's clock is still the real one, so by ours the new certificate is old as well.
  await waitFor('the warning', () => edge.stderr.includes('acme.clock_is_wrong'));
  await pause(1_000);
  assert.equal(edge.stderr.split('acme.obtained').length - 1, 2);
});

test('acme: what the authority says', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const window = { start: Date.now() + 86_400_000, end: Date.now() + 2 * 86_400_000 };
  const front = await acmeFront(t, authority, {
    extra: ({ base }) => ({
      renewalInfo: `${base}/ari`, meta: { profiles: { shortlived: 'six days' } },
    }),
  });
  const problem = (type, detail, headers = {}, status = 403) => ({
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail }),
  });
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(front, ', profile: shortlived')}]}
sites:
  www.example.com: {respond: www}
`, { ports, env: {} });
  front.intercept = async ({ path: target }) => {
    if (!target.startsWith('/ari/')) return null;
    return {
      status: 200,
      headers: { 'retry-after': '3600' },
      body: JSON.stringify({
        suggestedWindow: {
          start: new Date(window.start).toISOString(), end: new Date(window.end).toISOString(),
        },
      }),
    };
  };
  const last = async (name) => (await certs(edge))[name]?.last_error;

  await t.test('profiles are asked for', async () => {
    await obtained(edge, ['www.example.com']);
    const { payload } = front.calls.find((call) => call.payload?.identifiers);
    assert.equal(payload.profile, 'shortlived');
    assert.equal(payload.replaces, undefined);
  });
  await t.test('renewal comes within the window, and says what it replaces', async () => {
    await edge.stop();
    await edge.start();
    await waitFor('the window', async () => {
      const at = Date.parse((await certs(edge))['www.example.com'].renew_at);
      return at >= window.start - 1_000 && at <= window.end + 1_000;
    }, 90);
    const asked = front.calls.find((call) => call.path.startsWith('/ari/')).path.slice(5);
    assert.match(asked, /^[\w-]+\.[\w-]+$/);
    await edge.command('certs', 'renew', 'www.example.com');
    await waitFor('the order', () => front.calls.some((call) => call.payload?.replaces === asked));
    await obtained(edge, ['www.example.com']);
  });
  await t.test('a limit is obeyed, also over a restart', async () => {
    front.intercept = async ({ payload }) =>
      (payload?.identifiers
        ? problem('rateLimited', 'too many certificates', { 'retry-after': '7200' }, 429) : null);
    edge.write(`
acme: {preflight: false, issuers: [${issuer(front)}]}
sites:
  www.example.com: {respond: www}
  limited.example.com: {respond: limited}
`);
    await edge.command('reload');
    await waitFor('the refusal', () => last('limited.example.com'));
    const row = (await certs(edge))['limited.example.com'];
    assert.match(row.last_error, /too many certificates \(the authority's limit is reached\)/);
    assert.ok(Date.parse(row.next_try) > Date.now() + 7_000_000, row.next_try);
    const calls = front.calls.length;
    await edge.stop();
    await edge.start();
    await pause(1_000);
    assert.ok(!front.calls.slice(calls).some((call) => call.payload?.identifiers));
  });
  const types = {
    caa: /CAA record/, connection: /open ports 80 and 443/, dns: /check its DNS records/,
    rejectedIdentifier: /issues no certificate for this name/, unauthorized: /A and AAAA records/,
    userActionRequired: /terms accepted/, badCSR: /names or key/,
    serverInternal: /fault of its own/,
    malformed: /did not understand/, unsupportedIdentifier: /this kind of name/,
    tls: /TLS connection/,
    incorrectResponse: /something else answered/, badPublicKey: /account's key/,
    orderNotReady: /not ready/, invalidContact: /address in `email`/, compound: /several things/,
    externalAccountRequired: /account made on its site/, badSignatureAlgorithm: /ES256/,
  };
  await t.test('each refusal of RFC 8555 is told in plain words', async () => {
    front.intercept = async ({ payload }) => {
      const type = payload?.identifiers?.[0].value.split('.')[0];
      const known = Object.keys(types).find((name) => name.toLowerCase() === type);
      return known ? problem(known, 'because') : null;
    };
    const names = Object.keys(types).map((type) => `${type.toLowerCase()}.example.com`);
    edge.write(`
acme: {preflight: false, issuers: [${issuer(front)}]}
sites:
  ${names.join(', ')}: {respond: www}
`);
    await edge.command('reload');
    for (const [type, text] of Object.entries(types)) {
      const name = `${type.toLowerCase()}.example.com`;
      await waitFor(type, () => last(name), 30);
      assert.match(await last(name), text);
      assert.match(await last(name), /because/);
    }
  });
  await t.test('a server that hangs or lies holds nobody up', async () => {
    front.intercept = async ({ payload }) => {
      const name = payload?.identifiers?.[0].value ?? '';
      if (name.startsWith('hangs')) return 'hang';
      return name.startsWith('lies') ? { status: 201, headers: {}, body: '<html>' } : null;
    };
    edge.write(`
acme: {preflight: false, issuers: [${issuer(front)}]}
sites:
  hangs.example.com, lies.example.com, fine.example.com: {respond: www}
`);
    await edge.command('reload');
    await obtained(edge, ['fine.example.com']);
    await waitFor('the lie', () => last('lies.example.com'));
    assert.match(await last('lies.example.com'), /no order URL|not JSON/);
    const started = Date.now();
    await edge.stop();
    assert.ok(Date.now() - started < 5_000, 'a request under way held up the stop');
  });
});

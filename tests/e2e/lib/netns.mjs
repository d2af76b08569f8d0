// Runs a test file in a network namespace of its own, where the ports below 1024 are free,
// 127.0.0.2 is an address, too, and names are asked for at 127.0.0.1.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { temporaryFolder } from '../harness.mjs';

const inside = 'PORTERO_TEST_NETNS';

// Calls `declare` inside the namespace; outside it declares one test that runs the file there and
// wants `count` tests to pass.
export function inNamespace(url, name, count, declare) {
  if (process.env[inside]) {
    declare();
    return;
  }
  test(name, () => {
    const resolver = path.join(temporaryFolder(), 'resolv.conf');
    const script = `ip link set lo up && ip address add 127.0.0.2/8 dev lo &&
      echo nameserver 127.0.0.1 > ${resolver} && mount --bind ${resolver} /etc/resolv.conf &&
      exec ${process.execPath} --test ${fileURLToPath(url)}`;
    const env = { ...process.env, [inside]: '1' };
    delete env.NODE_TEST_CONTEXT;
    let report;
    try {
      report = execFileSync('unshare', ['--net', '--mount', 'sh', '-c', script],
        { env, stdio: ['ignore', 'pipe', 'inherit'], timeout: 240_000 }).toString();
    } catch (failed) {
      assert.fail(`${failed.message}\n${failed.stdout}`);
    }
    assert.match(report, new RegExp(`^# pass ${count}$`, 'm'));
  });
}

import { describe, expect, it } from 'vitest';
import { cacheIn, type MachineMemory, machineShare, statPaths, usedShare } from './machine-memory.ts';

const GB = 1024 ** 3;
const NO_LIMIT = 2 ** 64;

describe('usedShare', () => {
  it.each<[string, MachineMemory, number]>([
    ['of a machine', { totalBytes: 16 * GB, availableBytes: 4 * GB, limitBytes: 0, cacheBytes: 0 }, 0.75],
    [
      'without a limit',
      { totalBytes: 16 * GB, availableBytes: 12 * GB, limitBytes: NO_LIMIT, cacheBytes: 0 },
      0.25,
    ],
    [
      'of a container',
      { totalBytes: 16 * GB, availableBytes: 1 * GB, limitBytes: 2 * GB, cacheBytes: 0 },
      0.5,
    ],
    [
      'whose cache can go',
      { totalBytes: 16 * GB, availableBytes: 0, limitBytes: 2 * GB, cacheBytes: GB },
      0.5,
    ],
    ['that is over it', { totalBytes: 16 * GB, availableBytes: 0, limitBytes: 2 * GB, cacheBytes: 0 }, 1],
    [
      'that has more left than it may have',
      { totalBytes: 16 * GB, availableBytes: 2 * GB, limitBytes: 2 * GB, cacheBytes: GB },
      0,
    ],
  ])('%s', (_name, memory, share) => {
    expect(usedShare(memory)).toBe(share);
  });

  it('is known of this machine', () => {
    expect(machineShare()).toBeGreaterThanOrEqual(0);
    expect(machineShare()).toBeLessThan(1);
  });
});

describe('a control group', () => {
  it.each<[string, string, readonly string[]]>([
    [
      'of version 2',
      '0::/system.slice/app\n',
      ['/sys/fs/cgroup/system.slice/app/memory.stat', '/sys/fs/cgroup/memory.stat'],
    ],
    ['at the root', '0::/\n', ['/sys/fs/cgroup/memory.stat']],
    [
      'of version 1',
      '9:cpu,cpuacct:/x\n4:memory:/docker/a:b\n',
      ['/sys/fs/cgroup/memory/docker/a:b/memory.stat', '/sys/fs/cgroup/memory/memory.stat'],
    ],
    ['that is none', 'nonsense\n', []],
  ])('%s has its statistics there', (_name, cgroups, paths) => {
    expect(statPaths(cgroups)).toEqual(paths);
  });

  it.each([
    ['version 2', 'anon 5\ninactive_anon 3\ninactive_file 4096\n', 4096],
    ['version 1, its own groups included', 'inactive_file 1\ntotal_inactive_file 8192\n', 8192],
    ['another', 'anon 5\n', 0],
  ])('tells its idle file cache: %s', (_name, stat, bytes) => {
    expect(cacheIn(stat)).toBe(bytes);
  });
});

import { describe, expect, it } from 'vitest';
import type { AgentId } from '../base/terms.ts';
import { agentsOf, identityOf, membersOf } from './family-members.ts';
import { type ProcessRow, parseLinuxRow, parsePs } from './process-table.ts';

const A = 'a' as AgentId;
const B = 'b' as AgentId;
const SERVER = 100;

const row = (pid: number, parent: number, group: number, agent: AgentId | null = null): ProcessRow => ({
  pid,
  parent,
  group,
  began: '1',
  owner: agent === null ? null : 'ours',
  agent,
  rssKb: null,
});
const server = row(SERVER, 1, SERVER);
const pidsOf = (rows: readonly ProcessRow[], known: readonly string[] = []) =>
  membersOf(rows, [A], new Set(known), SERVER).map(({ pid }) => pid);

describe('membersOf', () => {
  it.each<[string, readonly ProcessRow[], readonly number[]]>([
    ['nobody', [server, row(5, 1, 5)], []],
    ['the agent itself', [server, row(200, SERVER, 200, A)], [200]],
    [
      'a grandchild in a session of its own',
      [server, row(200, SERVER, 200, A), row(300, 1, 300, A)],
      [200, 300],
    ],
    [
      'a child that cleared its environment',
      [server, row(200, SERVER, 200, A), row(201, 200, 201)],
      [200, 201],
    ],
    ['a process of its group', [server, row(200, SERVER, 200, A), row(202, 1, 200)], [200, 202]],
    [
      'the descendants of a marked survivor',
      [server, row(300, 1, 300, A), row(301, 300, 301), row(302, 301, 302)],
      [300, 301, 302],
    ],
    ['not another agent', [server, row(200, SERVER, 200, A), row(400, SERVER, 400, B)], [200]],
    [
      'not the server, though it was started by this agent',
      [row(SERVER, 200, SERVER, A), row(7, 1, 7, A)],
      [7],
    ],
    [
      'not the agent that the server descends from',
      [row(90, 1, 90, A), row(SERVER, 90, 90, A), row(101, SERVER, 90)],
      [],
    ],
    ['not the group of the server', [server, row(150, 1, SERVER, A), row(151, 1, SERVER)], [150]],
  ])('%s', (_name, rows, pids) => {
    expect(pidsOf(rows)).toEqual(pids);
  });

  it('remembers members that nothing marks any more, and never takes a successor of their pid for them', () => {
    const orphan = row(201, 1, 201);
    expect(pidsOf([server, orphan], [identityOf(orphan)])).toEqual([201]);
    expect(pidsOf([server, { ...orphan, began: '2' }], [identityOf(orphan)])).toEqual([]);
  });
});

describe('agentsOf', () => {
  it('knows the agents of one owner, each once', () => {
    const foreign = { ...row(9, 1, 9, 'c' as AgentId), owner: 'theirs' };
    const rows = [row(1, 0, 1), row(2, 1, 2, A), row(3, 1, 3, A), row(4, 1, 4, B), foreign];
    expect(agentsOf(rows, 'ours')).toEqual([A, B]);
  });
});

describe('the process table', () => {
  const stat = (state: string) =>
    `42 (a) b (c) ${state} 7 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3`;

  it('reads a line of Linux, whatever the command is called', () => {
    const environ = 'PATH=/bin\0FIREKEEPER_OWNER=o\0FIREKEEPER_AGENT=a\0';
    expect(parseLinuxRow(42, stat('S'), environ)).toEqual({
      pid: 42,
      parent: 7,
      group: 40,
      began: '987654',
      owner: 'o',
      agent: 'a',
      rssKb: null,
    });
  });

  it('leaves out zombies, the dead, and what ended while it was read', () => {
    expect(parseLinuxRow(42, stat('Z'), '')).toBeNull();
    expect(parseLinuxRow(42, stat('X'), '')).toBeNull();
    expect(parseLinuxRow(42, '', '')).toBeNull();
  });

  it('reads what ps prints on macOS', () => {
    const output = [
      '  501     1   501 Ss    12345 Sat Nov 21 03:33:01 2026 /usr/sbin/thing -x',
      ' 8104   990  8104 S    184320 Sat Nov 21 03:34:11 2026 /app/claude --verbose PATH=/bin FIREKEEPER_OWNER=o FIREKEEPER_AGENT=a LANG=C',
      ' 8105  8104  8104 Z         0 Sat Nov 21 03:34:12 2026 (sh)',
      '',
    ].join('\n');
    expect(parsePs(output)).toMatchObject([
      { pid: 501, owner: null, agent: null },
      {
        pid: 8104,
        parent: 990,
        group: 8104,
        rssKb: 184320,
        began: 'Sat Nov 21 03:34:11 2026',
        owner: 'o',
        agent: 'a',
      },
    ]);
  });
});

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { AgentId } from '../base/terms.ts';

/** The variables that a whole family carries in its environment: whose data folder, and which agent. */
export const OWNER_MARK = 'FIREKEEPER_OWNER';
export const AGENT_MARK = 'FIREKEEPER_AGENT';

/** One living process. Zombies are left out: they hold nothing, and nobody but their parent can end them. */
export type ProcessRow = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** When it began, in the system's own notation: with the pid it names one process and never its successor. */
  readonly began: string;
  readonly owner: string | null;
  readonly agent: AgentId | null;
  /** Kilobytes of memory where the table tells; null where they are asked for one by one. */
  readonly rssKb: number | null;
};

export type ProcessTable = {
  rows(): Promise<readonly ProcessRow[]>;
  /** Memory of one process in kilobytes, its share of shared pages where the system knows it; 0 when it is gone. */
  memoryKb(row: ProcessRow): Promise<number>;
};

/** The table of the system that we run on. Other users' processes are in it without their environment. */
export function systemProcessTable(platform: NodeJS.Platform): ProcessTable {
  return platform === 'linux' ? linuxTable : psTable;
}

/** Files of /proc that are read at the same time. */
const READS_AT_ONCE = 32;
const MOST_PS_BYTES = 64 * 1024 * 1024;

const linuxTable: ProcessTable = {
  async rows() {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const rows: ProcessRow[] = [];
    for (let first = 0; first < pids.length; first += READS_AT_ONCE) {
      const found = await Promise.all(pids.slice(first, first + READS_AT_ONCE).map(readLinuxRow));
      rows.push(...found.filter((row) => row !== null));
    }
    return rows;
  },
  async memoryKb(row) {
    const rollup = await readOrEmpty(`/proc/${row.pid}/smaps_rollup`);
    const pss = /^Pss:\s+(\d+) kB/m.exec(rollup);
    return pss === null ? 0 : Number(pss[1]);
  },
};

const psTable: ProcessTable = {
  async rows() {
    const columns = 'pid=,ppid=,pgid=,stat=,rss=,lstart=,command=';
    const { stdout } = await promisify(execFile)('ps', ['-Eww', '-axo', columns], {
      env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
      maxBuffer: MOST_PS_BYTES,
    });
    return parsePs(stdout);
  },
  memoryKb: async (row) => row.rssKb ?? 0,
};

async function readLinuxRow(pid: string): Promise<ProcessRow | null> {
  const [stat, environ] = await Promise.all([
    readOrEmpty(`/proc/${pid}/stat`),
    readOrEmpty(`/proc/${pid}/environ`),
  ]);
  return parseLinuxRow(Number(pid), stat, environ);
}

/** A process may end, or belong to somebody else, at any moment between two reads. */
async function readOrEmpty(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}

/** `/proc/<pid>/stat` (proc(5)) and `environ`; the command's name may hold spaces and brackets of its own. */
export function parseLinuxRow(pid: number, stat: string, environ: string): ProcessRow | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group] = fields;
  const began = fields[19];
  if (state === undefined || parent === undefined || group === undefined || began === undefined) return null;
  if (state === 'Z' || state === 'X') return null;
  const marks = environ.split('\0');
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    began,
    owner: markIn(marks, OWNER_MARK),
    agent: markIn(marks, AGENT_MARK) as AgentId | null,
    rssKb: null,
  };
}

/** `pid ppid pgid stat rss <date of five words> command and its environment`, as macOS prints it with `-E`. */
const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/;

export function parsePs(output: string): readonly ProcessRow[] {
  return output.split('\n').flatMap((line): ProcessRow[] => {
    const match = PS_LINE.exec(line);
    if (match === null) return [];
    const [, pid, parent, group, state = '', rss, began = '', command = ''] = match;
    if (state.startsWith('Z')) return [];
    const marks = command.split(' ');
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        began: began.replace(/\s+/g, ' '),
        owner: markIn(marks, OWNER_MARK),
        agent: markIn(marks, AGENT_MARK) as AgentId | null,
        rssKb: Number(rss),
      },
    ];
  });
}

/** The last one counts: on macOS the environment stands behind the arguments, which anybody may choose. */
function markIn(words: readonly string[], name: string): string | null {
  const found = words.findLast((word) => word.startsWith(`${name}=`));
  return found === undefined ? null : found.slice(name.length + 1);
}

import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { hasNoSandbox } from '../setup/sandbox.ts';
import { makeProjectWorld } from './project-world.ts';

const command = (line: string) => `use tool Bash with ${JSON.stringify({ command: line })}`;

it.skipIf(hasNoSandbox)(
  'an agent with a shell changes its project’s files, and reaches neither its history nor another project',
  async () => {
    const world = await makeProjectWorld();
    const [own, other] = [await world.newProject({ tools: ['Bash'] }), await world.newProject()];
    await world.update(
      other.id,
      'use tool Write with {"file_path":"theirs.txt","content":"words-of-another"}',
    );
    const lines = [
      'mkdir -p src && echo one > src/a.txt',
      `cat ${world.workdir(other.id)}/theirs.txt > src/stolen.txt; cat ../repo.git/HEAD >> src/stolen.txt; ls -a .. >> src/stolen.txt`,
      'echo "ref: refs/heads/planted" > ../repo.git/HEAD; rm -rf ../repo.git; git init -q . || true',
      '(setsid nohup sleep 305 >/dev/null 2>&1 &); echo "key $ANTHROPIC_API_KEY" >> src/stolen.txt',
    ];
    const update = await world.update(own.id, lines.map(command).join('\nthen '));
    expect(update).toMatchObject({ status: 'completed', resultVersion: 1 });
    const tracked = world.git(own.id, 'ls-tree', '-r', '--name-only', 'main').split('\n');
    expect(tracked).toEqual(['src/a.txt', 'src/stolen.txt']);
    expect(world.read(own.id, 'src/stolen.txt')).toBe('.\n..\nwork\nkey \n');
    expect(execFileSync('ps', ['-eww', '-o', 'args='], { encoding: 'utf8' })).not.toContain('sleep 305');

    const next = await world.update(own.id, command('sed -i s/one/two/ src/a.txt && rm src/stolen.txt'));
    expect(next).toMatchObject({ resultVersion: 2, resume: { decision: 'resume', outcome: 'accepted' } });
    expect(world.git(own.id, 'show', 'main:src/a.txt')).toBe('two');
    expect((await world.head(other.id)).version).toBe(1);
  },
);

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTRIBUTES } from './environment.ts';
import type { Git } from './run-git.ts';

/** An empty repository without a working directory, from no template: so without hooks. Harmless when it is there. */
export async function initRepository(git: Git, gitDir: string): Promise<void> {
  const args = ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', '--object-format=sha1'];
  await git.text({ gitDir, args: [...args, gitDir] });
  await mkdir(join(gitDir, 'info'), { recursive: true });
  await writeFile(join(gitDir, 'info', 'attributes'), ATTRIBUTES);
}

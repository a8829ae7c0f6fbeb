import { afterAll } from 'vitest';
import { removeTempFolders } from './temp.ts';

// Registered before the file's own hooks, and these run in reverse order: servers are closed by now.
afterAll(removeTempFolders);

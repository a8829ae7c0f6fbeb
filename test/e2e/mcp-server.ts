/**
 * An MCP server as a bot file may name one: it starts a child that leaves its session and group at once, as careless
 * tools do, and its one tool never answers.
 */
import { spawn } from 'node:child_process';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';

spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();

const server = new McpServer({ name: 'careless', version: '1.0.0' });
server.registerTool('wait', { description: 'Waits for ever' }, () => new Promise(() => {}));
await server.connect(new StdioServerTransport());

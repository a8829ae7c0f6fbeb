/** The front door of project updates: `docs/projects.md` tells people about it. */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../../base/clock.ts';
import type { Projects } from '../../projects/projects.ts';
import type { Login } from '../login.ts';
import { compatibilityRoutes } from './compatibility.ts';
import { allProjectsRoutes, createRoutes, oneProjectRoutes } from './projects.ts';
import { resumeReportRoutes } from './resume-report.ts';
import { sessionRoutes } from './sessions.ts';
import { tokenRoutes } from './tokens.ts';
import { updateEventRoutes } from './update-events.ts';
import { oneUpdateRoutes, updateRoutes } from './updates.ts';
import { versionRoutes } from './versions.ts';
import { makeWhoAsks, type WhoAsks } from './who-asks.ts';

export type ProjectRoutesDeps = {
  readonly projects: Projects;
  readonly login: Pick<Login, 'check' | 'isStillIn'>;
  readonly clock: Clock;
};

/** What every file of routes here gets. */
export type Door = ProjectRoutesDeps & { readonly who: WhoAsks };

/** Each scope asks who calls, and for what, before a body is read: a route cannot forget it. */
export function projectRoutes(deps: ProjectRoutesDeps): FastifyPluginAsync {
  const who = makeWhoAsks(deps);
  const door: Door = { ...deps, who };
  return async (scope) => {
    scope.setValidatorCompiler(validatorCompiler);
    scope.setSerializerCompiler(serializerCompiler);
    scope.addHook('onRoute', (route) => {
      route.schema = { security: SECURITY, tags: ['projects'], ...route.schema };
    });
    scope.addHook('onRequest', who.identify);
    scope.register(compatibilityRoutes(door));
    scope.register(resumeReportRoutes(door));
    within(scope, [who.requireAdmin], [createRoutes(door), allProjectsRoutes(door)]);
    within(scope, [who.requireProject], [updateRoutes(door), versionRoutes(door), sessionRoutes(door)]);
    within(scope, [who.requireProject], [oneProjectRoutes(door)]);
    within(scope, [who.requireProject, who.requireAdmin], [tokenRoutes(door)]);
    within(scope, [who.requireUpdate], [oneUpdateRoutes(door), updateEventRoutes(door)]);
  };
}

type Hook = WhoAsks['identify'];

/** Routes that stand behind hooks of their own. */
function within(
  scope: FastifyInstance,
  hooks: readonly Hook[],
  plugins: readonly FastifyPluginAsync[],
): void {
  scope.register(async (guarded) => {
    for (const hook of hooks) guarded.addHook('onRequest', hook);
    for (const plugin of plugins) guarded.register(plugin);
  });
}

const SECURITY = [{ bearer: [] }, { cookie: [] }, { projectToken: [] }];

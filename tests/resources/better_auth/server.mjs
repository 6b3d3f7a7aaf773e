// A real Better Auth, kept in memory, for tests of signing on. Usage: node server.mjs PORT
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { admin, bearer, jwt, organization } from "better-auth/plugins";

const base = `http://127.0.0.1:${process.argv[2]}`;
const tables = ["user", "session", "account", "verification", "organization", "member", "invitation", "jwks"];
const auth = betterAuth({
  baseURL: base,
  secret: "only-for-tests-only-for-tests-only-for-tests",
  database: memoryAdapter(Object.fromEntries(tables.map((name) => [name, []]))),
  emailAndPassword: { enabled: true },
  session: { updateAge: 0 }, // each answer renews the cookie, as one a day does elsewhere
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  plugins: [
    organization(),
    admin({ adminUserIds: [] }),
    bearer(),
    jwt({
      jwt: {
        issuer: base,
        audience: "pitchey",
        expirationTime: "15m",
        definePayload: async ({ user, session }) => {
          const { adapter } = await auth.$context;
          const id = session.activeOrganizationId;
          const where = (field, value) => ({ field, value });
          const member = id && (await adapter.findOne({
            model: "member", where: [where("userId", user.id), where("organizationId", id)],
          }));
          return { email: user.email, role: user.role, organisationId: id ?? null, organisationRole: member?.role ?? null };
        },
      },
    }),
  ],
});
createServer(toNodeHandler(auth)).listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));

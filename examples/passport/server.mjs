import { randomBytes, timingSafeEqual } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { ticketRouter } from 'oncegate/express';
import passport from 'passport';
import { Strategy } from 'passport-local';
import { createClient } from 'redis';

const { PORT = '3000', REDIS_URL = 'redis://127.0.0.1:6379' } = process.env;
const { SESSION_SECRET = randomBytes(32).toString('base64url') } = process.env;

// Your own users go here. This one gets a new password at every start.
const ada = { id: 'ada', name: 'Ada Lovelace', password: randomBytes(9).toString('base64url') };

passport.use(new Strategy((name, password, done) => done(null, name === ada.id && isHers(password) ? ada : false)));
passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, id === ada.id ? ada : false));

function isHers(password) {
  const [given, hers] = [Buffer.from(password), Buffer.from(ada.password)];
  return given.length === hers.length && timingSafeEqual(given, hers);
}

const redis = createClient({ url: REDIS_URL });
redis.on('error', (error) => process.stderr.write(`redis: ${error.message}\n`));
await redis.connect();

const app = express();
app.use(
  session({
    secret: SESSION_SECRET,
    store: new RedisStore({ client: redis }),
    resave: false,
    saveUninitialized: false,
    cookie: { sameSite: 'lax', secure: 'auto', maxAge: 3_600_000 },
  }),
);
app.use(passport.session());

app.get('/', (_request, response) => response.sendFile(fileURLToPath(new URL('page.html', import.meta.url))));
app.get('/me', ({ user }, response) => {
  if (user) response.json({ name: user.name });
  else response.status(401).json({ error: 'signed out' });
});
app.post(
  '/sign-in',
  express.urlencoded({ extended: false }),
  passport.authenticate('local', { successRedirect: '/', failureRedirect: '/?failed' }),
);
app.post('/sign-out', (request, response, next) => {
  request.logout((error) => (error ? next(error) : response.redirect('/')));
});

// All that Oncegate needs to know: who is signed in, and until when.
const tickets = ticketRouter({
  authenticate: ({ user, session: { cookie } }) =>
    user ? { subject: user.id, claims: { name: user.name }, expiresAt: cookie.expires?.getTime() } : null,
  settings: { ...process.env, REDIS_URL },
});
app.use('/realtime', tickets);

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`http://localhost:${server.address().port}  user ${ada.id}  password ${ada.password}\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void Promise.all([tickets.close(), redis.close()]);
});

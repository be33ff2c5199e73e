import process from 'node:process';
import { defineConfig } from 'vite';

// The page and the ticket service share an origin, as behind one proxy. So the client's default,
// `/tickets`, is right, and CORS is not needed. The short form, a string, would set changeOrigin: the ticket service
// would then see another Host than that of the page, and refuse a login by cookie (csrf_refused).
const target = process.env.TICKET_SERVICE ?? 'http://localhost:8080';
const proxy = { '/tickets': { target, changeOrigin: false } };

export default defineConfig({ server: { proxy }, preview: { proxy } });

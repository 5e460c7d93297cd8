// nodemailer's pool as a benchmark peer: node nodemailer.mjs PORT CONNECTIONS SECONDS MESSAGE_FILE
//
// Raw messages, so that it builds nothing, and always one more mail waiting than there are connections. Prints its
// counts as one line of JSON. The folder with node_modules is the working folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodemailer = createRequire(join(process.cwd(), "package.json"))("nodemailer");
const [port, connections, seconds] = process.argv.slice(2, 5).map(Number);
const raw = readFileSync(process.argv[5]);
const pool = nodemailer.createTransport({
    pool: true,
    host: "127.0.0.1",
    port,
    name: "source.example.org",
    maxConnections: connections,
    maxMessages: Infinity,
    ignoreTLS: true,
    disableFileAccess: true,
    disableUrlAccess: true,
});

const begin = performance.now();
const end = begin + seconds * 1000;
let begun = 0;
let done = 0;

async function sendUntilTheEnd() {
    while (performance.now() < end) {
        const to = `reader${begun++}@example.net`;
        await pool.sendMail({ envelope: { from: "bounce@news.example.org", to }, raw });
        done++;
    }
}

await Promise.all(Array.from({ length: 2 * connections }, sendUntilTheEnd));
console.log(JSON.stringify({ messages: done, seconds: (performance.now() - begin) / 1000 }));
pool.close();

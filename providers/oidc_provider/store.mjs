// Everything in one Map. oidc-provider's own memory adapter keeps the 1000 newest entries only, fewer than a load makes.
const entries = new Map();
const byGrant = new Map();
const SWEEP_MS = 60_000;

setInterval(() => {
  const now = Date.now();
  for (const [key, entry] of entries) if (entry.until <= now) entries.delete(key);
  for (const [grant, keys] of byGrant) {
    for (const key of keys) if (!entries.has(key)) keys.delete(key);
    if (keys.size === 0) byGrant.delete(grant);
  }
}, SWEEP_MS).unref();

export class MapStore {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.#key(id);
    entries.set(key, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.uid) entries.set(`${this.model}:uid:${payload.uid}`, entries.get(key));
    if (payload.userCode) entries.set(`${this.model}:code:${payload.userCode}`, entries.get(key));
    if (payload.grantId) {
      if (!byGrant.has(payload.grantId)) byGrant.set(payload.grantId, new Set());
      byGrant.get(payload.grantId).add(key);
    }
  }

  async find(id) {
    return this.#payload(this.#key(id));
  }

  async findByUid(uid) {
    return this.#payload(`${this.model}:uid:${uid}`);
  }

  async findByUserCode(code) {
    return this.#payload(`${this.model}:code:${code}`);
  }

  async consume(id) {
    this.#payload(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    const payload = this.#payload(this.#key(id));
    entries.delete(this.#key(id));
    if (payload?.uid) entries.delete(`${this.model}:uid:${payload.uid}`);
    if (payload?.userCode) entries.delete(`${this.model}:code:${payload.userCode}`);
  }

  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) entries.delete(key);
    byGrant.delete(grantId);
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  #payload(key) {
    const entry = entries.get(key);
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }
}

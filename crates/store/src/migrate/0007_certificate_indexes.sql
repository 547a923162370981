-- Hardly any certificate is revoked, and hardly any is intended and not issued: indexes of those alone are small, and issuing a
-- certificate does not write to them what nobody looks for.

DROP INDEX certificate_by_revocation;
DROP INDEX certificate_by_state;
CREATE INDEX certificate_by_revocation ON certificate (tenant, revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_by_state ON certificate (state, created_at) WHERE state = 'intended';

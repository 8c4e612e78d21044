-- By hand: whoever has several identities at one provider keeps the one that was linked first.
DELETE FROM "app_user_identity" later USING "app_user_identity" earlier
WHERE later.user_id = earlier.user_id AND later.issuer = earlier.issuer
  AND (later.linked_at, later.subject) > (earlier.linked_at, earlier.subject);

-- DropIndex
DROP INDEX "app_user_identity_user_id_idx";

-- CreateIndex
CREATE UNIQUE INDEX "app_user_identity_user_id_issuer_key" ON "app_user_identity"("user_id", "issuer");

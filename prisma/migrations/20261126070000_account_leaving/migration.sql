-- By hand: WHERE on app_user_leaving_since_idx. Hardly anybody is leaving.

-- AlterTable
ALTER TABLE "app_user" ADD COLUMN     "leaving_since" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "app_user_leaving_since_idx" ON "app_user"("leaving_since") WHERE "leaving_since" IS NOT NULL;

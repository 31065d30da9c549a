#!/bin/sh
# Asks the registrar at REGISTRAR_URI to remove the webhook, with an identity
# token for AUDIENCE: the one in REGISTRAR_IDENTITY_TOKEN, or gcloud's. If it
# cannot, it prints the command that removes the webhook, and succeeds: a
# destroy that stopped here would leave everything else behind too.
set -u

give_up() {
  printf '%s\n' \
    "The webhook is still registered at Gemini: $1." \
    "Remove it with:" \
    "  GEMINI_API_KEY=… hooks webhook delete --uri '$WEBHOOK_URI'" >&2
  exit 0
}

token=${REGISTRAR_IDENTITY_TOKEN:-}
if [ -z "$token" ]; then
  command -v gcloud >/dev/null 2>&1 ||
    give_up "neither REGISTRAR_IDENTITY_TOKEN nor gcloud is here"
  export CLOUDSDK_CORE_DISABLE_PROMPTS=1
  # gcloud sets an audience for service accounts only; Cloud Run accepts a
  # person's token without one.
  token=$(
    gcloud auth print-identity-token --audiences="$AUDIENCE" \
      2>/dev/null </dev/null
  ) ||
    token=$(gcloud auth print-identity-token 2>/dev/null </dev/null) ||
    give_up "gcloud has no identity token (gcloud auth login)"
fi
command -v curl >/dev/null 2>&1 || give_up "curl is not here"

# curl reads the token from standard input: any user can read its arguments.
status=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
  curl --config - --silent --output /dev/null --max-time 60 \
    --request DELETE --write-out '%{http_code}' "$REGISTRAR_URI/webhook") ||
  give_up "the registrar does not answer"
case $status in
  2?? | 409) echo "The webhook is removed from Gemini." ;;
  *) give_up "the registrar answered $status" ;;
esac

#!/bin/sh
# Asks the registrar at REGISTRAR_URI to remove the webhook, with an identity
# token for AUDIENCE: the one in REGISTRAR_IDENTITY_TOKEN, or one of IDENTITY
# that the deployer may create, or gcloud's own. If it cannot, it prints
# the command that removes the webhook, and succeeds: a destroy that stopped
# here would leave everything else behind too.
set -u

give_up() {
  printf '%s\n' \
    "The webhook is still registered at Gemini: $1." \
    "Remove it with:" \
    "  GEMINI_API_KEY=… hooks webhook delete --uri '$WEBHOOK_URI'" >&2
  exit 0
}

# curl reads tokens from standard input: any user can read its arguments.
as() {
  printf 'header = "Authorization: Bearer %s"\n' "$1"
}

# In a pipeline without a key there are access tokens, but no identity token.
# The first are those that Terraform uses.
impersonate() {
  access=$(
    gcloud auth application-default print-access-token 2>/dev/null </dev/null ||
      gcloud auth print-access-token 2>/dev/null </dev/null
  ) &&
    as "$access" | curl --config - --silent --fail --max-time 60 \
      --header 'Content-Type: application/json' \
      --data "{\"audience\": \"$AUDIENCE\", \"includeEmail\": true}" \
      "${iam}v1/projects/-/serviceAccounts/$IDENTITY:generateIdToken" |
    sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' | grep .
}

command -v curl >/dev/null 2>&1 || give_up "curl is not here"
# Where gcloud looks for it too.
iam=${CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS:-}
iam=${iam:-https://iamcredentials.googleapis.com/}
token=${REGISTRAR_IDENTITY_TOKEN:-}
if [ -z "$token" ]; then
  command -v gcloud >/dev/null 2>&1 ||
    give_up "neither REGISTRAR_IDENTITY_TOKEN nor gcloud is here"
  export CLOUDSDK_CORE_DISABLE_PROMPTS=1
  # Have gcloud impersonate whom Terraform impersonates. Only with the flag
  # below does such an identity token hold an e-mail address.
  deployer=${GOOGLE_IMPERSONATE_SERVICE_ACCOUNT:-}
  [ -z "$deployer" ] ||
    export CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT="$deployer"
  # gcloud sets an audience for service accounts only; Cloud Run accepts a
  # person's token without one.
  token=$(impersonate) ||
    token=$(
      gcloud auth print-identity-token --audiences="$AUDIENCE" \
        ${deployer:+--include-email} 2>/dev/null </dev/null
    ) ||
    token=$(gcloud auth print-identity-token 2>/dev/null </dev/null) ||
    give_up "gcloud has no identity token (gcloud auth login)"
fi

status=$(as "$token" |
  curl --config - --silent --output /dev/null --max-time 60 \
    --request DELETE --write-out '%{http_code}' "$REGISTRAR_URI/webhook") ||
  give_up "the registrar does not answer"
case $status in
  2?? | 409) echo "The webhook is removed from Gemini." ;;
  *) give_up "the registrar answered $status" ;;
esac

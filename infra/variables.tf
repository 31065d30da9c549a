variable "activation_seconds" {
  description = <<-EOT
    Seconds to wait after services have been enabled, until their APIs answer
    and Google has created their service agents.
  EOT
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.activation_seconds >= 0 && var.activation_seconds <= 600
    error_message = "activation_seconds must be between 0 and 600."
  }
}

variable "alerts" {
  description = <<-EOT
    Alert policies. `emails` are addresses to write to, and
    `notification_channels` full names of channels that exist.
    `dead_letter_age_days` and `oldest_unacked_seconds` bound the age of an
    unread message. `error_ratio` bounds the share of a function's requests in
    an hour that fail, and `unavailable_ratio` the share of the receiver's, its
    72 health checks included, that end in 503. `refused_per_hour` bounds the
    number of deliveries with a wrong signature, `forbidden_per_hour` that of
    requests that IAM refused, and `saturated_per_minute` that of requests for
    which no instance was free. `enabled = false` creates the dashboard alone.
  EOT
  type = object({
    dead_letter_age_days   = optional(number, 7)
    emails                 = optional(list(string), [])
    enabled                = optional(bool, true)
    error_ratio            = optional(number, 0.05)
    forbidden_per_hour     = optional(number, 5)
    notification_channels  = optional(list(string), [])
    oldest_unacked_seconds = optional(number, 900)
    refused_per_hour       = optional(number, 3)
    saturated_per_minute   = optional(number, 10)
    unavailable_ratio      = optional(number, 0.02)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for ratio in [var.alerts.error_ratio, var.alerts.unavailable_ratio] :
      ratio > 0 && ratio <= 1
    ])
    error_message = join(" ", [
      "error_ratio and unavailable_ratio are shares of the requests: above 0,",
      "at most 1, as in 0.05.",
    ])
  }

  validation {
    condition = (
      var.alerts.dead_letter_age_days >= 1 &&
      var.alerts.dead_letter_age_days <= 30
    )
    error_message = join(" ", [
      "dead_letter_age_days must be between 1 and 30: Pub/Sub drops a dead",
      "letter after 31 days.",
    ])
  }

  # A subscription to Cloud Storage acknowledges a message once its file is
  # closed.
  validation {
    condition = alltrue([
      for seconds in concat(
        var.archive == null ? [] : [var.archive.file_seconds],
        [
          for subscriber in values(var.subscribers) :
          subscriber.storage.max_seconds if subscriber.storage != null
        ],
      ) : try(var.alerts.oldest_unacked_seconds >= seconds + 300, true)
    ])
    error_message = join(" ", [
      "A message waits until its file is closed: oldest_unacked_seconds is at",
      "least 300 more than archive.file_seconds and than storage.max_seconds",
      "of each subscriber, as in 900.",
    ])
  }

  validation {
    condition     = var.alerts.oldest_unacked_seconds >= 60
    error_message = "oldest_unacked_seconds is at least 60, as in 900."
  }

  validation {
    condition = alltrue([
      for number in [
        var.alerts.forbidden_per_hour,
        var.alerts.refused_per_hour,
        var.alerts.saturated_per_minute,
      ] : number >= 0
    ])
    error_message = join(" ", [
      "forbidden_per_hour, refused_per_hour and saturated_per_minute are",
      "numbers of requests, from 0 up, as in 5.",
    ])
  }

  validation {
    condition = alltrue([
      for email in var.alerts.emails :
      can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))
    ])
    error_message = "alerts.emails are addresses, as in team@example.com."
  }

  validation {
    condition = alltrue([
      for channel in var.alerts.notification_channels :
      can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))
    ])
    error_message = join(" ", [
      "Name notification channels as",
      "projects/PROJECT/notificationChannels/ID: gcloud beta monitoring",
      "channels list --format='value(name)'.",
    ])
  }
}

variable "archive" {
  description = <<-EOT
    Archives every delivery and every dead letter to a Cloud Storage bucket, as
    Avro with metadata; null archives nothing. A file is closed after
    `file_seconds` and deleted after `delete_after_days` (null: never). The
    files outlive `terraform destroy` unless `force_destroy` is set.
  EOT
  type = object({
    delete_after_days = optional(number)
    file_seconds      = optional(number, 300)
    force_destroy     = optional(bool, false)
    location          = optional(string)
  })
  default = null

  validation {
    condition = (
      try(var.archive.file_seconds, 300) >= 60 &&
      try(var.archive.file_seconds, 300) <= 600
    )
    error_message = "file_seconds must be between 60 and 600."
  }

  validation {
    condition = try(var.archive.delete_after_days >= 1, true)
    error_message = join(" ", [
      "archive.delete_after_days is at least 1; null keeps files for ever.",
    ])
  }
}

variable "collect" {
  description = <<-EOT
    Has a further function, the collector, copy the results of jobs from Gemini
    to a Cloud Storage bucket: `bucket`, or one that is created in `location`,
    deletes results after `delete_after_days` (null: never) and outlives
    `terraform destroy` with what it holds unless `force_destroy` is set. With
    `grant` the collector may create objects in a `bucket` of yours. The Pub/Sub
    `filter` on attributes selects the events, by default all but the relay's
    own. null collects nothing.
  EOT
  type = object({
    bucket            = optional(string)
    delete_after_days = optional(number)
    filter = optional(
      string,
      "NOT hasPrefix(attributes.ce-type, \"relay.\")",
    )
    force_destroy = optional(bool, false)
    grant         = optional(bool, true)
    location      = optional(string)
  })
  default = null

  validation {
    condition = try(var.collect.bucket, null) == null || can(regex(
      "^[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]$",
      var.collect.bucket,
    ))
    error_message = join(" ", [
      "collect.bucket is the name of a bucket, without gs:// and folders, as",
      "in my-results; leave it out to have one created.",
    ])
  }

  validation {
    condition = (
      try(var.collect.bucket, null) == null || alltrue([
        try(var.collect.delete_after_days, null) == null,
        !try(var.collect.force_destroy, false),
        try(var.collect.location, null) == null,
      ])
    )
    error_message = join(" ", [
      "collect.delete_after_days, force_destroy and location belong to a",
      "bucket that is created: set them on your own bucket yourself, or leave",
      "collect.bucket out.",
    ])
  }

  validation {
    condition = try(var.collect.delete_after_days >= 1, true)
    error_message = join(" ", [
      "collect.delete_after_days is at least 1; null keeps results for ever.",
    ])
  }

  validation {
    condition     = try(length(var.collect.filter) <= 256, true)
    error_message = "collect.filter has at most 256 characters, as Pub/Sub's."
  }
}

variable "deployer" {
  description = <<-EOT
    IAM member that applies (`user:…`, `group:…` or `serviceAccount:…`). It may
    wait for the webhook and, on destroy, have it removed. Defaults to the
    identity of the credentials; name a group when several people apply.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.deployer == null || can(regex(
      "^(user|group|serviceAccount|principal|principalSet):.+$",
      var.deployer,
    ))
    error_message = join(" ", [
      "Name the deployer as an IAM member, as in user:you@example.com,",
      "group:team@example.com or",
      "serviceAccount:ci@my-project.iam.gserviceaccount.com.",
    ])
  }
}

variable "functions" {
  description = <<-EOT
    Per function: the size of an instance, the requests it takes at once, bounds
    on the number of instances, and additional environment variables. Google
    refuses a function whose `max_instances` × `cpu` exceeds the region's quota
    of CPUs, 20 in a new project.
  EOT
  type = object({
    collector = optional(object({
      concurrency   = optional(number, 4)
      cpu           = optional(string, "1")
      environment   = optional(map(string), {})
      max_instances = optional(number, 5)
      memory        = optional(string, "512Mi")
      min_instances = optional(number, 0)
    }), {})
    dispatcher = optional(object({
      concurrency   = optional(number, 40)
      cpu           = optional(string, "1")
      environment   = optional(map(string), {})
      max_instances = optional(number, 10)
      memory        = optional(string, "512Mi")
      min_instances = optional(number, 0)
    }), {})
    receiver = optional(object({
      concurrency   = optional(number, 80)
      cpu           = optional(string, "1")
      environment   = optional(map(string), {})
      max_instances = optional(number, 10)
      memory        = optional(string, "512Mi")
      min_instances = optional(number, 0)
    }), {})
    reconciler = optional(object({
      concurrency   = optional(number, 10)
      cpu           = optional(string, "1")
      environment   = optional(map(string), {})
      max_instances = optional(number, 1)
      memory        = optional(string, "512Mi")
      min_instances = optional(number, 0)
    }), {})
    registrar = optional(object({
      concurrency   = optional(number, 10)
      cpu           = optional(string, "1")
      environment   = optional(map(string), {})
      max_instances = optional(number, 3)
      memory        = optional(string, "512Mi")
      min_instances = optional(number, 0)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for size in values(var.functions) : (
        size.min_instances >= 0 &&
        size.max_instances >= max(1, size.min_instances)
      )
    ])
    error_message = "max_instances is at least 1 and at least min_instances."
  }

  validation {
    condition = alltrue([
      for size in values(var.functions) :
      size.concurrency >= 1 && size.concurrency <= 1000
    ])
    error_message = "concurrency must be between 1 and 1000."
  }

  # https://cloud.google.com/run/docs/configuring/services/cpu
  validation {
    condition = alltrue([
      for size in values(var.functions) : (
        can(regex("^(0[.][0-9]{1,2}|[12468])$", size.cpu)) &&
        try(tonumber(size.cpu) >= 0.08, false)
      )
    ])
    error_message = join(" ", [
      "cpu is 1, 2, 4, 6 or 8, or a part of one from 0.08 to 0.99, as in",
      "\"0.5\".",
    ])
  }

  validation {
    condition = alltrue([
      for size in values(var.functions) :
      size.concurrency == 1 || try(tonumber(size.cpu) >= 1, false)
    ])
    error_message = join(" ", [
      "An instance that takes more than one request at once needs a cpu of at",
      "least 1: raise cpu, or set concurrency = 1.",
    ])
  }

  validation {
    condition = alltrue([
      for size in values(var.functions) :
      can(regex("^[1-9][0-9]*(Mi|Gi)$", size.memory))
    ])
    error_message = "memory is a number of Mi or Gi, as in 512Mi or 1Gi."
  }

  validation {
    condition = alltrue([
      for size in values(var.functions) :
      try(
        (
          tonumber(regex("^[0-9]+", size.memory)) *
          (endswith(size.memory, "Gi") ? 1024 : 1)
        ) >= lookup({ "4" = 2048, "6" = 4096, "8" = 4096 }, size.cpu, 0),
        true,
      )
    ])
    error_message = join(" ", [
      "Cloud Run gives 4 CPUs to an instance of at least 2Gi of memory, and 6",
      "or 8 to one of at least 4Gi: raise memory, or lower cpu.",
    ])
  }

  # As functions/relay/receiver/settings.py reckons; measured for both.
  validation {
    condition = alltrue([
      for size in [var.functions.receiver, var.functions.dispatcher] :
      try(
        (
          tonumber(regex("^[0-9]+", size.memory)) *
          (endswith(size.memory, "Gi") ? 1024 : 1)
          ) >= 128 + ceil(
          4 * size.concurrency * var.verification.max_body_bytes / 1048576
        ),
        true,
      )
    ])
    error_message = join(" ", [
      "An instance holds each body up to four times: memory of the receiver",
      "and of the dispatcher must be at least 128Mi + 4 × concurrency ×",
      "verification.max_body_bytes. Raise memory, or lower one of the others.",
    ])
  }
}

variable "gemini_api_key" {
  description = <<-EOT
    Gemini API key. It is ephemeral and write-only: it reaches Secret Manager,
    but neither plan nor state. Pass it as `TF_VAR_gemini_api_key`, which keeps
    it out of the shell's history.
  EOT
  type        = string
  ephemeral   = true
  sensitive   = true

  validation {
    condition = can(regex("^[!-~]{8,}$", var.gemini_api_key))
    error_message = join(" ", [
      "This is not a Gemini API key: it has at least eight characters and",
      "neither blanks nor line breaks. Get one at",
      "https://aistudio.google.com/apikey.",
    ])
  }
}

variable "gemini_api_key_version" {
  description = <<-EOT
    Number to raise when the API key changes: Terraform cannot see a change of a
    write-only value.
  EOT
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition = (
      var.gemini_api_key_version >= 1 &&
      floor(var.gemini_api_key_version) == var.gemini_api_key_version
    )
    error_message = join(" ", [
      "gemini_api_key_version is a whole number from 1 up; raise it by one",
      "with every new key.",
    ])
  }
}

variable "gemini_base_url" {
  description = <<-EOT
    Base URL of the Gemini API, for a proxy or a simulator; null is Google's.
  EOT
  type        = string
  default     = null

  validation {
    condition = (
      var.gemini_base_url == null ||
      can(regex("^https?://[^/ ]+", var.gemini_base_url))
    )
    error_message = join(" ", [
      "gemini_base_url is an http or https URL, as in",
      "https://generativelanguage.googleapis.com.",
    ])
  }
}

variable "jobs" {
  description = <<-EOT
    Follows the jobs that applications start with the library: keeps them in a
    Firestore database of their own (with the location, the delete protection
    and the recovery of the `ledger`), and has a further function, the
    reconciler, ask Gemini for those whose webhook did not come. `clients` are
    IAM members, service accounts above all, that may read and write that
    database and no other. `adopt = "batches"` follows batches that were started
    otherwise. Every 15 minutes the reconciler makes `per_second` calls a second
    for at most `budget_seconds`; a job that it does not find ended
    `give_up_hours` after its start is lost. null follows no jobs.
  EOT
  type = object({
    adopt          = optional(string, "none")
    budget_seconds = optional(number, 240)
    clients        = optional(list(string), [])
    give_up_hours  = optional(number, 72)
    per_second     = optional(number, 5)
  })
  default = null

  validation {
    condition     = contains(["batches", "none"], try(var.jobs.adopt, "none"))
    error_message = "jobs.adopt is none or batches."
  }

  validation {
    condition = contains(range(30, 781), try(var.jobs.budget_seconds, 240))
    error_message = join(" ", [
      "jobs.budget_seconds is a whole number from 30 to 780: a run must have",
      "ended when the next one begins, 15 minutes later.",
    ])
  }

  validation {
    condition = alltrue([
      for member in try(var.jobs.clients, []) : can(regex(
        "^((serviceAccount|user|group):[^@]+@[^@]+|principal(Set)?://.+)$",
        member,
      ))
    ])
    error_message = join(" ", [
      "Name jobs.clients as IAM members, as in",
      "serviceAccount:reports@my-project.iam.gserviceaccount.com.",
    ])
  }

  validation {
    condition = contains(range(24, 721), try(var.jobs.give_up_hours, 72))
    error_message = join(" ", [
      "jobs.give_up_hours is a whole number from 24 to 720: within a day of",
      "its start a job that Gemini does not know may still appear.",
    ])
  }

  validation {
    condition     = contains(range(1, 101), try(var.jobs.per_second, 5))
    error_message = "jobs.per_second is a whole number from 1 to 100."
  }
}

variable "kms_key" {
  description = <<-EOT
    Key that encrypts topics, secrets, ledger, buckets, images and functions
    (`projects/…/locations/…/keyRings/…/cryptoKeys/…`, in the same region); null
    leaves encryption to Google's own keys. Choose before the first apply: the
    ledger and the jobs' database keep the encryption that they were created
    with. A plan warns of a later change, and encrypts the rest.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.kms_key == null || can(regex(
      "^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
      var.kms_key,
    ))
    error_message = join(" ", [
      "Name the key in full, without a version:",
      "projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY.",
    ])
  }
}

variable "labels" {
  description = "Labels of every resource that can have labels."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for key, value in var.labels : (
        can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) &&
        can(regex("^[a-z0-9_-]{0,63}$", value))
      )
    ])
    error_message = join(" ", [
      "Keys and values of labels have at most 63 lower-case letters, digits,",
      "underscores and hyphens; a key begins with a letter.",
    ])
  }
}

variable "ledger" {
  description = <<-EOT
    The Firestore database. With `delete_protection` it refuses deletion and
    outlives `terraform destroy`. A repeated delivery is recognised for
    `dedup_retention_days`. `location` defaults to the region. Choose it before
    the first apply: a database keeps its location, and a plan warns of a later
    change.
  EOT
  type = object({
    dedup_retention_days   = optional(number, 7)
    delete_protection      = optional(bool, true)
    location               = optional(string)
    point_in_time_recovery = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition = contains(range(1, 366), var.ledger.dedup_retention_days)
    error_message = join(" ", [
      "ledger.dedup_retention_days is a whole number from 1 to 365: Gemini",
      "repeats a delivery for up to 24 hours.",
    ])
  }
}

variable "load_balancer" {
  description = <<-EOT
    Puts a load balancer before the receiver, which is then reached in no other
    way: with a certificate for `domain`, and with Cloud Armor, which answers
    429 to an address that sends more than `requests_per_minute`. Gemini sends
    from few addresses: leave room for all that you expect. Null has none.
  EOT
  type = object({
    domain              = string
    requests_per_minute = optional(number, 6000)
  })
  default = null

  validation {
    condition = var.load_balancer == null || can(regex(
      "^([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,}$",
      var.load_balancer.domain,
    ))
    error_message = join(" ", [
      "load_balancer.domain is a domain of yours, without https:// and without",
      "a path, as in events.example.com.",
    ])
  }

  validation {
    condition = try(var.load_balancer.requests_per_minute, 6000) >= 60
    error_message = join(" ", [
      "load_balancer.requests_per_minute is at least 60: Gemini's deliveries",
      "come from few addresses.",
    ])
  }
}

variable "message_storage_regions" {
  description = <<-EOT
    Regions in which Pub/Sub may store messages; empty allows any.
  EOT
  type        = set(string)
  default     = []
  nullable    = false
}

variable "name" {
  description = <<-EOT
    Prefix of every name, so that several deployments can share a project.
  EOT
  type        = string
  default     = "gemini-webhooks"
  nullable    = false

  validation {
    condition = (
      can(regex("^[a-z][a-z0-9-]{2,17}[a-z0-9]$", var.name)) &&
      !startswith(var.name, "goog") && !strcontains(var.name, "google")
    )
    error_message = join(" ", [
      "name has 4 to 19 lower-case letters, digits and hyphens, begins with a",
      "letter (not with \"goog\"), ends with a letter or digit and has no",
      "\"google\" in it: service accounts, databases and buckets allow no",
      "more. An example is relay-staging.",
    ])
  }
}

variable "operators" {
  description = <<-EOT
    IAM members, besides the deployer, that may change the webhook through the
    registrar: people (`user:…`) and service accounts (`serviceAccount:…`).
    Name those who apply where the deployer is a group: a group has no identity
    token.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for member in var.operators :
      can(regex("^(user|serviceAccount):[^@]+@[^@]+$", member))
    ])
    error_message = join(" ", [
      "Name operators as IAM members, as in user:you@example.com or",
      "serviceAccount:ci@my-project.iam.gserviceaccount.com.",
    ])
  }
}

variable "project" {
  description = "Id of the project to deploy to."
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = join(" ", [
      "project is a project's id, not its number or its display name, as in",
      "my-project-123: gcloud projects list.",
    ])
  }
}

variable "propagation_seconds" {
  description = <<-EOT
    Seconds to wait after new grants have been made, until they hold everywhere:
    typically 2 minutes, sometimes 7 or more.
  EOT
  type        = number
  default     = 180
  nullable    = false

  validation {
    condition = (
      var.propagation_seconds >= 0 && var.propagation_seconds <= 600
    )
    error_message = "propagation_seconds must be between 0 and 600."
  }
}

variable "public" {
  description = <<-EOT
    Whether `allUsers` may invoke the receiver: Gemini cannot sign in. With
    `false`, where a policy of the organisation forbids that grant, switch off
    the check of the invoker: docs/deploy.md, "Organisation policies".
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "region" {
  description = "Region of every regional resource."
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = join(" ", [
      "region is a region, not a zone or a multi-region, as in europe-west1:",
      "gcloud functions regions list.",
    ])
  }
}

variable "registered" {
  description = <<-EOT
    Whether the webhook exists at Gemini; `false` removes it and keeps
    everything else.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "rotation" {
  description = <<-EOT
    Rotation of the signing secret: its age in `days` at which it is rotated
    (null: never), what happens to the previous secret, and the `schedule` of
    the check (cron, UTC).
  EOT
  type = object({
    days                = optional(number, 30)
    revocation_behavior = optional(string, "revoke_previous_secrets_after_h24")
    schedule            = optional(string, "17 3 * * *")
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.rotation.days == null || try(var.rotation.days >= 2, false)
    )
    error_message = join(" ", [
      "rotation.days is at least 2, since a rotated secret stays valid for 24",
      "hours; null never rotates.",
    ])
  }

  validation {
    condition = contains(
      [
        "revoke_previous_secrets_after_h24",
        "revoke_previous_secrets_immediately",
      ],
      var.rotation.revocation_behavior,
    )
    error_message = join(" ", [
      "rotation.revocation_behavior is revoke_previous_secrets_after_h24 or",
      "revoke_previous_secrets_immediately.",
    ])
  }

  validation {
    condition = length(split(" ", trimspace(var.rotation.schedule))) == 5
    error_message = join(" ", [
      "rotation.schedule is a cron expression of five fields, as in",
      "\"17 3 * * *\".",
    ])
  }
}

variable "routes" {
  description = <<-EOT
    Additional topics. Each gets the events whose type matches one of the globs
    in `types` and whose `user_metadata` contains all of `metadata`. The topic
    is created unless `topic` names one of yours (`projects/…/topics/…`), which
    no other route may have.
  EOT
  type = map(object({
    metadata = optional(map(string), {})
    topic    = optional(string)
    types    = optional(list(string), ["*"])
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name in keys(var.routes) :
      can(regex("^[a-z][a-z0-9-]{0,39}$", name))
    ])
    error_message = join(" ", [
      "A route's name has at most 40 lower-case letters, digits and hyphens,",
      "and begins with a letter.",
    ])
  }

  validation {
    condition = length(setintersection(
      keys(var.routes),
      ["dead-letter", "events", "ingress"],
    )) == 0
    error_message = join(" ", [
      "The names events, ingress and dead-letter are taken: call the route",
      "something else.",
    ])
  }

  validation {
    condition = alltrue([
      for route in values(var.routes) : length(route.types) > 0
    ])
    error_message = join(" ", [
      "A route without types matches nothing: name some, as in [\"batch.*\"],",
      "or leave types out for all.",
    ])
  }

  validation {
    condition = alltrue([
      for route in values(var.routes) :
      route.topic == null ||
      can(regex("^projects/[^/]+/topics/[^/]+$", route.topic))
    ])
    error_message = join(" ", [
      "A route's topic is named in full, as in",
      "projects/my-project/topics/blue; leave it out to have one created.",
    ])
  }

  # Each route grants the dispatcher its topic. Two grants on one topic are one
  # at Google, which goes with the first route that is taken away.
  validation {
    condition = (
      length(distinct(compact(values(var.routes)[*].topic))) ==
      length(compact(values(var.routes)[*].topic))
    )
    error_message = join(" ", [
      "Each route has a topic of its own. For one consumer of several kinds of",
      "events, give a subscriber a filter, as in attributes.meta-team =",
      "\"blue\" OR attributes.meta-team = \"green\".",
    ])
  }

  validation {
    condition = length(setintersection(
      compact(values(var.routes)[*].topic),
      [
        for name in ["dead-letter", "events", "ingress"] :
        "projects/${var.project}/topics/${var.name}-${name}"
      ],
    )) == 0
    error_message = join(" ", [
      "A route's topic is none of the relay's own, which every event passes",
      "already: leave topic out to have one created.",
    ])
  }
}

variable "runtime" {
  description = "Runtime of Cloud Functions."
  type        = string
  default     = "python313"
  nullable    = false

  validation {
    condition = contains(
      ["python311", "python312", "python313"],
      var.runtime,
    )
    error_message = join(" ", [
      "runtime is python311, python312 or python313: the functions are tested",
      "on these.",
    ])
  }
}

variable "source_code" {
  description = <<-EOT
    Paths of the functions' source directory and of their pinned requirements;
    by default those beside this module.
  EOT
  type = object({
    directory    = optional(string)
    requirements = optional(string)
  })
  default  = {}
  nullable = false
}

variable "subscribers" {
  description = <<-EOT
    Subscriptions for other services, by name. Each has exactly one of `push`
    (any URL, with an identity token), `pull`, `bigquery` and `storage`; a
    `topic` (`events`, `ingress` or the name of a route); and a Pub/Sub `filter`
    on attributes, `retry`, `dead_letter` (null: none) and grants.
    `ack_deadline_seconds` is 60 by default, or the `max_seconds` after which
    `storage` closes a file if that is more.
  EOT
  type = map(object({
    ack_deadline_seconds = optional(number)
    bigquery = optional(object({
      drop_unknown_fields = optional(bool, true)
      grant               = optional(bool, true)
      table               = string
      use_table_schema    = optional(bool, false)
      write_metadata      = optional(bool, true)
    }))
    dead_letter = optional(object({
      max_attempts = optional(number, 100)
    }), {})
    filter = optional(string)
    pull = optional(object({
      consumers = optional(list(string), [])
    }))
    push = optional(object({
      audience = optional(string)
      cloud_run_service = optional(object({
        location = string
        name     = string
        project  = optional(string)
      }))
      endpoint        = string
      service_account = optional(string)
      unwrapped       = optional(bool, false)
    }))
    retry = optional(object({
      maximum_seconds = optional(number, 600)
      minimum_seconds = optional(number, 10)
    }), {})
    storage = optional(object({
      avro        = optional(bool, true)
      bucket      = string
      grant       = optional(bool, true)
      max_bytes   = optional(number)
      max_seconds = optional(number, 300)
      prefix      = optional(string)
      suffix      = optional(string)
    }))
    topic = optional(string, "events")
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name in keys(var.subscribers) :
      can(regex("^[a-z][a-z0-9-]{0,39}$", name))
    ])
    error_message = join(" ", [
      "A subscriber's name has at most 40 lower-case letters, digits and",
      "hyphens, and begins with a letter.",
    ])
  }

  validation {
    condition = alltrue([
      for name in keys(var.subscribers) : !anytrue([
        can(regex("^(archive|route)-", name)),
        can(regex("(^|-)dead-letter$", name)),
        contains(
          [
            "build",
            "collect",
            "collector",
            "dispatch",
            "dispatcher",
            "jobs-cron",
            "jobs-push",
            "push",
            "receiver",
            "reconciler",
            "registrar",
            "schedules",
            "wait",
          ],
          name,
        ),
      ])
    ])
    error_message = join(" ", [
      "The names collect, dispatch, archive-…, route-…, …-dead-letter and",
      "those of the hops and their identities are taken: call the subscriber",
      "something else, as in worker.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) : 1 == length([
        for kind in [
          subscriber.bigquery,
          subscriber.pull,
          subscriber.push,
          subscriber.storage,
        ] : kind if kind != null
      ])
    ])
    error_message = join(" ", [
      "Each subscriber has exactly one of push, pull, bigquery and storage,",
      "as in { pull = {} }.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) :
      contains(
        concat(["events", "ingress"], keys(var.routes)),
        subscriber.topic,
      )
    ])
    error_message = join(" ", [
      "A subscriber's topic is events, ingress or the name of one of the",
      "routes.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) :
      length(coalesce(subscriber.filter, "-")) <= 256
    ])
    error_message = "A Pub/Sub filter has at most 256 characters."
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) : (
        coalesce(subscriber.ack_deadline_seconds, 60) >= 10 &&
        coalesce(subscriber.ack_deadline_seconds, 60) <= 600
      )
    ])
    error_message = "ack_deadline_seconds must be between 10 and 600."
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) :
      subscriber.storage == null || (
        try(subscriber.storage.max_seconds, 300) >= 60 &&
        try(subscriber.storage.max_seconds, 300) <= 600
      )
    ])
    error_message = join(" ", [
      "storage.max_seconds must be between 60 and 600: Pub/Sub closes no file",
      "sooner or later.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) : (
        try(subscriber.storage.max_seconds, 0) <=
        coalesce(subscriber.ack_deadline_seconds, 600)
      )
    ])
    error_message = join(" ", [
      "storage.max_seconds may not exceed ack_deadline_seconds: lower it,",
      "raise the deadline, or leave the deadline out.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) : (
        try(subscriber.dead_letter.max_attempts, 100) >= 5 &&
        try(subscriber.dead_letter.max_attempts, 100) <= 100
      )
    ])
    error_message = join(" ", [
      "dead_letter.max_attempts must be between 5 and 100; dead_letter = null",
      "retries for 31 days.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) : (
        subscriber.retry.minimum_seconds >= 0 &&
        subscriber.retry.minimum_seconds <= subscriber.retry.maximum_seconds &&
        subscriber.retry.maximum_seconds <= 600
      )
    ])
    error_message = join(" ", [
      "retry.minimum_seconds and retry.maximum_seconds must be between 0 and",
      "600, and the first no greater than the second.",
    ])
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) :
      subscriber.push == null ||
      can(regex("^https?://[^/ ]+", subscriber.push.endpoint))
    ])
    error_message = "push.endpoint is a URL, as in https://example.com/gemini."
  }

  validation {
    condition = alltrue([
      for subscriber in values(var.subscribers) :
      subscriber.bigquery == null ||
      can(regex("^[^.]+\\.[^.]+\\.[^.]+$", subscriber.bigquery.table))
    ])
    error_message = "bigquery.table is named PROJECT.DATASET.TABLE."
  }
}

variable "topic_retention" {
  description = <<-EOT
    How long each topic keeps its messages for replay and for new subscribers,
    in seconds with an `s` (at most 31 days); null keeps none.
  EOT
  type = object({
    events  = optional(string)
    ingress = optional(string, "604800s")
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for retention in values(var.topic_retention) :
      retention == null || try(
        tonumber(trimsuffix(retention, "s")) >= 600 &&
        tonumber(trimsuffix(retention, "s")) <= 2678400 &&
        endswith(retention, "s"),
        false,
      )
    ])
    error_message = "A topic's retention is 600s to 2678400s and ends with s."
  }
}

variable "verification" {
  description = <<-EOT
    What the receiver accepts: kinds of signature (`v1`, which the registered
    webhook signs with; `v1a` and `jwt` too for dynamic webhooks, which prove
    only that Gemini sent a delivery, to whomever), the tolerance of timestamps,
    the size of the body, and the address of Gemini's public keys (Google's by
    default).
  EOT
  type = object({
    jwks_uri                    = optional(string)
    jwt_audiences               = optional(list(string), [])
    max_body_bytes              = optional(number, 262144)
    schemes                     = optional(list(string), ["v1"])
    timestamp_tolerance_seconds = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.verification.max_body_bytes >= 1024 &&
      var.verification.max_body_bytes <= 1048576
    )
    error_message = join(" ", [
      "verification.max_body_bytes must be between 1024 and 1048576: Gemini's",
      "payloads hold pointers, never results.",
    ])
  }

  validation {
    condition = (
      var.verification.timestamp_tolerance_seconds >= 1 &&
      var.verification.timestamp_tolerance_seconds <= 86400
    )
    error_message = join(" ", [
      "verification.timestamp_tolerance_seconds must be between 1 and 86400;",
      "the specification uses 300.",
    ])
  }

  validation {
    condition = (
      length(var.verification.schemes) > 0 &&
      length(setsubtract(var.verification.schemes, ["jwt", "v1", "v1a"])) == 0
    )
    error_message = "verification.schemes names some of v1, v1a and jwt."
  }

  validation {
    condition = (
      contains(var.verification.schemes, "jwt") ==
      (length(var.verification.jwt_audiences) > 0)
    )
    error_message = join(" ", [
      "To accept jwt, name it in verification.schemes and the audiences of its",
      "tokens in verification.jwt_audiences: a token for another audience must",
      "not pass. Without it, name neither.",
    ])
  }

  validation {
    condition     = contains(var.verification.schemes, "v1")
    error_message = "The webhook signs with v1: keep it among the schemes."
  }
}

variable "wait" {
  description = <<-EOT
    Whether apply waits until the webhook is registered, and fails with Gemini's
    reason if it cannot be.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "wait_seconds" {
  description = <<-EOT
    Seconds that apply waits for the webhook; the registrar runs every minute.
  EOT
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition = var.wait_seconds >= 1 && var.wait_seconds <= 100
    error_message = join(" ", [
      "wait_seconds must be between 1 and 100: a request to the registrar",
      "ends after 120.",
    ])
  }
}

variable "webhook" {
  description = <<-EOT
    The webhook at Gemini: the types of `events` it subscribes to, its `name`
    (by default the prefix), and its `uri` (by default the receiver's address).
  EOT
  type = object({
    events = optional(list(string), [
      "batch.expired",
      "batch.failed",
      "batch.succeeded",
      "interaction.completed",
      "interaction.failed",
      "interaction.requires_action",
      "video.generated",
    ])
    name = optional(string)
    uri  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition = length(var.webhook.events) > 0 && alltrue([
      for event in var.webhook.events :
      can(regex("^[a-z0-9_]+(\\.[a-z0-9_]+)+$", event))
    ])
    error_message = join(" ", [
      "webhook.events names at least one type of event, each as in",
      "batch.succeeded.",
    ])
  }

  validation {
    condition = (
      length(distinct(var.webhook.events)) == length(var.webhook.events)
    )
    error_message = "webhook.events names each type of event once."
  }

  validation {
    condition = (
      var.webhook.uri == null ||
      can(regex("^https://[^/ ]+", var.webhook.uri))
    )
    error_message = "webhook.uri is an https URL: Gemini delivers to no other."
  }
}

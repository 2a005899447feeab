# functions.tf.json has the functions, what each may do, and their environment.

locals {
  policy_folder  = "/etc/slipway"
  secrets_folder = "/secrets"
  # The console is there for those who asked for it. The others cost nothing while nothing happens.
  deployed = { for name, function in local.functions : name => function if name != "console" || var.console != null }
  console  = var.console == null ? { identity = "", url = "" } : var.console
  workflows = {
    rollout  = "${var.name}-rollout"
    rollback = "${var.name}-rollback"
  }
  urls = { for name, function in google_cloudfunctions2_function.this : name => function.service_config[0].uri }
}

resource "google_service_account" "function" {
  for_each     = local.deployed
  project      = var.project
  account_id   = "${var.name}-${each.value.id}"
  display_name = "Slipway: function ${each.key}"
}

data "archive_file" "bundle" {
  type        = "zip"
  source_dir  = var.bundle
  output_path = "${path.root}/.terraform/${var.name}-functions.zip"
  # Otherwise another umask makes another archive of the same bundle, and every function is deployed anew.
  output_file_mode = "0644"
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs say who writes here; what is read is the code of the functions.
  project                     = var.project
  name                        = "${var.project}-${var.name}-source"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Built again from the repository at any time.
  force_destroy = true

  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      num_newer_versions = 10
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_storage_bucket_object" "bundle" {
  bucket = google_storage_bucket.source.name
  # A function is deployed anew when the name of its source changes.
  name   = "functions-${data.archive_file.bundle.output_sha256}.zip"
  source = data.archive_file.bundle.output_path
}

# The policy is no secret. As one it is mounted as a file and versioned, and a change of it needs no build.
resource "google_secret_manager_secret" "policy" {
  project   = var.project
  secret_id = "${var.name}-policy"

  replication {
    auto {}
  }
}

locals {
  # Whatever is wrong with the policy otherwise is for `slipway lint` to say.
  policy = try(yamldecode(file(var.policy_file)), {})
  topics_asked = toset([
    for service in try(local.policy.services, []) : service.commandsTopic if try(service.commandsTopic, null) != null
  ])
  secrets_asked = toset(flatten([
    for notification in try(local.policy.notifications, []) : [
      for way in ["slack", "googleChat", "webhook"] : [for key in ["secret", "signingSecret"] : try(notification[way][key], [])]
    ]
  ]))
}

resource "google_secret_manager_secret_version" "policy" {
  secret      = google_secret_manager_secret.policy.id
  secret_data = file(var.policy_file)

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(setsubtract(local.topics_asked, keys(var.command_topics))) == 0
      error_message = "The policy takes commands from topics that command_topics does not have: ${join(", ", setsubtract(local.topics_asked, keys(var.command_topics)))}."
    }

    precondition {
      condition     = length(setsubtract(local.secrets_asked, keys(var.notification_secrets))) == 0
      error_message = "The policy's notifications read secrets that notification_secrets does not have: ${join(", ", setsubtract(local.secrets_asked, keys(var.notification_secrets)))}."
    }
  }
}

resource "google_secret_manager_secret_iam_member" "policy" {
  for_each  = local.deployed
  project   = var.project
  secret_id = google_secret_manager_secret.policy.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.key].member
}

resource "google_cloudfunctions2_function" "this" {
  for_each    = local.deployed
  project     = var.project
  location    = var.location
  name        = "${var.name}-${each.value.id}"
  description = "Slipway: ${each.key}"

  build_config {
    runtime           = "nodejs24"
    entry_point       = each.key
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.functions.id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.bundle.name
      }
    }
    automatic_update_policy {}
  }

  service_config {
    service_account_email = google_service_account.function[each.key].email
    timeout_seconds       = each.value.timeout_seconds
    available_memory      = each.value.memory
    # More than one request at a time takes a whole CPU.
    available_cpu                    = "1"
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = 0
    max_instance_count               = each.value.max_instances
    # Pub/Sub, Workflows and Cloud Scheduler of this project count as internal. The console is behind a load balancer.
    ingress_settings               = each.key == "console" ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true
    # The identity is not known before the load balancer is there, and concerns the console alone.
    environment_variables = merge(
      { for name, value in local.environment : name => value if name == "SLIPWAY_CONSOLE_IDENTITY" ? each.key == "console" : value != "" },
      # Stack traces name the lines of the sources; the bundle has maps of Slipway's own.
      # In production Express answers a body that is no JSON without a stack trace.
      { NODE_OPTIONS = "--enable-source-maps", NODE_ENV = "production" },
      var.traces ? { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "https://telemetry.googleapis.com/v1/traces" } : {},
    )

    secret_volumes {
      mount_path = local.policy_folder
      project_id = var.project
      secret     = google_secret_manager_secret.policy.secret_id
      versions {
        # Not `latest`: a new policy must reach instances that run already.
        version = google_secret_manager_secret_version.policy.version
        path    = "rollouts.yaml"
      }
    }

    # One folder for each: Cloud Run mounts one secret in one place.
    dynamic "secret_volumes" {
      for_each = contains(each.value.grants, "secrets") ? var.notification_secrets : {}
      content {
        mount_path = "${local.secrets_folder}/${secret_volumes.key}"
        project_id = var.project
        secret     = secret_volumes.value
        versions {
          # Read anew for every message: a new version needs no deployment.
          version = "latest"
          path    = "value"
        }
      }
    }
  }

  depends_on = [
    google_secret_manager_secret_iam_member.policy,
    google_secret_manager_secret_iam_member.notifications,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_artifact_registry_repository_iam_member.build,
  ]
}

resource "google_service_account" "workflow" {
  for_each     = local.workflows
  project      = var.project
  account_id   = "${var.name}-wf-${each.key}"
  display_name = "Slipway: workflow ${each.key}"
}

resource "google_workflows_workflow" "this" {
  for_each            = local.workflows
  project             = var.project
  region              = var.location
  name                = each.value
  description         = "Slipway: ${each.key}"
  service_account     = google_service_account.workflow[each.key].id
  source_contents     = file("${path.module}/../../../workflows/${each.key}.yaml")
  user_env_vars       = local.workflow_environment
  call_log_level      = "LOG_ERRORS_ONLY"
  deletion_protection = false

  # Without these an execution that starts right away would be turned away.
  depends_on = [google_cloud_run_v2_service_iam_member.workflow]
}

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "${var.name}-scheduler"
  display_name = "Slipway: Cloud Scheduler calls the sweep as this"
}

resource "google_cloud_scheduler_job" "sweep" {
  project          = var.project
  region           = var.location
  name             = "${var.name}-sweep"
  description      = "Slipway: revives what died, starts what waits, closes what is over"
  schedule         = "*/5 * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${local.functions.sweep.timeout_seconds}s"

  # What one sweep did not get done, the next one does.
  retry_config {
    retry_count = 0
  }

  http_target {
    uri         = local.urls.sweep
    http_method = "POST"
    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = local.urls.sweep
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}

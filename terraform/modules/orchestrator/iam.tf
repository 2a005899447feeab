# One account per function and workflow, each with what its `grants` in functions.tf.json stand for, and on the resource
# itself where Google has grants there. Custom roles hold no more than the calls that the code makes.

locals {
  granted = {
    for grant in ["records", "records_read", "events", "executions", "images", "targets", "load_balancers", "metrics", "commands", "secrets"] :
    grant => { for name, function in local.deployed : name => google_service_account.function[name].member if contains(function.grants, grant) }
  }
  reaches_load_balancers = length(var.backend_services) > 0
  # Of the custom roles: those that there is anything for.
  roles = {
    for role, permissions in local.permissions : role => permissions
    if !contains(["clusters", "load_balancers", "backend_services"], role) ||
    (role == "clusters" ? var.may_reach_clusters : local.reaches_load_balancers)
  }
  # Of each: who has it in the whole project, because Google has no grants on the resource itself.
  project_wide = merge(
    { for name, member in local.granted.executions : "executions ${name}" => { role = "executions", member = member } },
    { for name, member in local.granted.metrics : "metrics ${name}" => { role = "metrics", member = member } },
    var.may_reach_clusters ? {
      for name, member in local.granted.targets : "clusters ${name}" => { role = "clusters", member = member }
    } : {},
    local.reaches_load_balancers ? {
      for name, member in local.granted.load_balancers : "load_balancers ${name}" => { role = "load_balancers", member = member }
    } : {},
  )
}

resource "google_project_iam_custom_role" "this" {
  for_each    = local.roles
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_${each.key}"
  title       = "Slipway: ${replace(each.key, "_", " ")}"
  permissions = each.value
}

resource "google_project_iam_member" "project_wide" {
  for_each = local.project_wide
  project  = var.project
  role     = google_project_iam_custom_role.this[each.value.role].id
  member   = each.value.member
}

resource "google_project_iam_member" "records" {
  for_each = merge(
    { for name, member in local.granted.records : name => { role = "records", member = member } },
    { for name, member in local.granted.records_read : name => { role = "records_read", member = member } },
  )
  project = var.project
  role    = google_project_iam_custom_role.this[each.value.role].id
  member  = each.value.member

  condition {
    title      = "${var.name}-database"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_pubsub_topic_iam_member" "events" {
  for_each = local.granted.events
  project  = var.project
  topic    = var.events_topic
  role     = "roles/pubsub.publisher"
  member   = each.value
}

# The console gives commands the way people do.
resource "google_pubsub_topic_iam_member" "commands" {
  for_each = {
    for pair in setproduct(keys(var.command_topics), keys(local.granted.commands)) :
    "${pair[0]} ${pair[1]}" => { topic = var.command_topics[pair[0]], member = local.granted.commands[pair[1]] }
  }
  project = var.project
  topic   = each.value.topic
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

resource "google_secret_manager_secret_iam_member" "notifications" {
  for_each = {
    for pair in setproduct(keys(var.notification_secrets), keys(local.granted.secrets)) :
    "${pair[0]} ${pair[1]}" => { secret = var.notification_secrets[pair[0]], member = local.granted.secrets[pair[1]] }
  }
  project   = var.project
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}

# Verifying an image reads it, and Cloud Run asks whoever deploys an image whether they may read it.
resource "google_artifact_registry_repository_iam_member" "images" {
  for_each = {
    for pair in setproduct(keys(var.repositories), keys(merge(local.granted.images, local.granted.targets))) :
    "${pair[0]} ${pair[1]}" => { repository = var.repositories[pair[0]], function = pair[1] }
  }
  project    = var.project
  location   = each.value.repository.location
  repository = each.value.repository.repository
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.function[each.value.function].member
}

locals {
  moves = {
    for pair in setproduct(keys(var.cloud_run_services), keys(local.granted.targets)) :
    "${pair[0]} ${pair[1]}" => merge(var.cloud_run_services[pair[0]], { member = local.granted.targets[pair[1]] })
  }
  # Services of several regions may run as one account.
  acts_as = {
    for pair in setproduct(distinct(values(var.cloud_run_services)[*].service), keys(local.granted.targets)) :
    "${pair[0]} ${pair[1]}" => {
      account = [for service in values(var.cloud_run_services) : service.service_account if service.service == pair[0]][0]
      member  = local.granted.targets[pair[1]]
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "target" {
  for_each = local.moves
  project  = var.project
  location = each.value.region
  name     = each.value.service
  role     = google_project_iam_custom_role.this["cloud_run"].id
  member   = each.value.member
}

# A new revision runs as the service's account: who makes it must be allowed to act as that.
resource "google_service_account_iam_member" "acts_as" {
  for_each           = local.acts_as
  service_account_id = each.value.account
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member
}

resource "google_project_iam_custom_role" "creates_services" {
  count       = var.may_create_services ? 1 : 0
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_creates_services"
  title       = "Slipway: creates Cloud Run services"
  permissions = ["run.services.create"]
}

resource "google_project_iam_member" "creates_services" {
  for_each = var.may_create_services ? local.granted.targets : {}
  project  = var.project
  role     = google_project_iam_custom_role.creates_services[0].id
  member   = each.value
}

resource "google_project_iam_member" "backend_services" {
  for_each = local.reaches_load_balancers ? local.granted.load_balancers : {}
  project  = var.project
  role     = google_project_iam_custom_role.this["backend_services"].id
  member   = each.value

  condition {
    title = "${var.name}-backends"
    expression = join(" || ", [
      for backend in sort(var.backend_services) : "resource.name == \"projects/${var.project}/global/backendServices/${backend}\""
    ])
  }
}

resource "google_project_iam_member" "analysis" {
  for_each = var.reads_analysis ? local.granted.images : {}
  project  = var.project
  role     = "roles/containeranalysis.occurrences.viewer"
  member   = each.value
}

# Spans are written, and the request is counted as this project's.
resource "google_project_iam_member" "traces" {
  for_each = {
    for pair in setproduct(var.traces ? ["roles/telemetry.tracesWriter", "roles/serviceusage.serviceUsageConsumer"] : [], keys(local.deployed)) :
    "${pair[0]} ${pair[1]}" => { role = pair[0], member = google_service_account.function[pair[1]].member }
  }
  project = var.project
  role    = each.value.role
  member  = each.value.member
}

locals {
  attested = {
    for pair in setproduct(keys(var.attestors), keys(local.granted.images)) :
    "${pair[0]} ${pair[1]}" => merge(var.attestors[pair[0]], { member = local.granted.images[pair[1]] })
  }
}

resource "google_binary_authorization_attestor_iam_member" "verifies" {
  for_each = local.attested
  project  = each.value.project
  attestor = each.value.attestor
  role     = "roles/binaryauthorization.attestorsVerifier"
  member   = each.value.member
}

resource "google_container_analysis_note_iam_member" "attestations" {
  for_each = local.attested
  project  = each.value.note_project
  note     = each.value.note
  role     = "roles/containeranalysis.notes.occurrences.viewer"
  member   = each.value.member
}

# Who may call which function. Nobody else may.

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset([for name in keys(local.deployed) : name if !contains(["activity", "sweep", "console"], name)])
  project  = var.project
  location = var.location
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${var.push_service_account}"
}

resource "google_cloud_run_v2_service_iam_member" "workflow" {
  for_each = local.workflows
  project  = var.project
  location = var.location
  name     = google_cloudfunctions2_function.this["activity"].name
  role     = "roles/run.invoker"
  member   = google_service_account.workflow[each.key].member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  project  = var.project
  location = var.location
  name     = google_cloudfunctions2_function.this["sweep"].name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_project_iam_member" "workflow_logs" {
  for_each = local.workflows
  project  = var.project
  role     = "roles/logging.logWriter"
  member   = google_service_account.workflow[each.key].member
}

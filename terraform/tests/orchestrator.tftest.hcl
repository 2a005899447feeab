# Who may do what.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      name   = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      email  = "x@acme-test.iam.gserviceaccount.com"
      member = "serviceAccount:x@acme-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function.test" } }
  }
}

mock_provider "archive" {}

variables {
  project              = "acme-test"
  location             = "us-central1"
  name                 = "slipway"
  bundle               = "dist"
  policy_file          = "examples/minimal/rollouts.yaml"
  database             = "(default)"
  events_topic         = "projects/acme-test/topics/rollout-events"
  push_service_account = "slipway-push@acme-test.iam.gserviceaccount.com"
  repositories         = { apps = { location = "us-central1", repository = "apps" } }
  command_topics       = { rollout-commands = "projects/acme-test/topics/rollout-commands" }
}

run "nothing_but_the_services_given" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    cloud_run_services = {
      "hello us-east4"     = { region = "us-east4", service = "hello", service_account = "projects/acme-test/serviceAccounts/run-hello@acme-test.iam.gserviceaccount.com" }
      "hello europe-west1" = { region = "europe-west1", service = "hello", service_account = "projects/acme-test/serviceAccounts/run-hello@acme-test.iam.gserviceaccount.com" }
    }
    backend_services = ["hello"]
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.target) == 4 && length(google_service_account_iam_member.acts_as) == 2
    error_message = "expected activity and sweep on each service, and to act as its one account"
  }

  assert {
    condition     = strcontains(google_project_iam_member.backend_services["activity"].condition[0].expression, "projects/acme-test/global/backendServices/hello")
    error_message = "expected the write to backend services to be bound to those given"
  }

  assert {
    condition     = !contains(keys(google_project_iam_custom_role.this), "clusters") && length(google_project_iam_custom_role.creates_services) == 0
    error_message = "expected no reach into clusters, and no creating of services, unless asked for"
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.push)) == toset(["imagePush", "command", "sloAlert", "deadLetter", "notify"])
    error_message = "expected Pub/Sub to call the functions that have a topic, and no other"
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" && function.build_config[0].runtime == "nodejs24"])
    error_message = "expected private functions on nodejs24"
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].environment_variables["NODE_OPTIONS"] == "--enable-source-maps" && function.service_config[0].environment_variables["NODE_ENV"] == "production"])
    error_message = "expected stack traces that name the sources"
  }

  assert {
    condition     = data.archive_file.bundle.output_file_mode == "0644"
    error_message = "expected an archive that does not depend on who makes it"
  }

  assert {
    condition     = google_cloudfunctions2_function.this["activity"].service_config[0].max_instance_request_concurrency > 1
    error_message = "expected the activities of a wave to share an instance"
  }

  assert {
    condition     = alltrue([for workflow in google_workflows_workflow.this : workflow.user_env_vars["ACTIVITY_URL"] == "https://function.test"])
    error_message = "expected the workflows to know where the activities are"
  }
}

run "no_console_and_no_secrets_unless_asked_for" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }

  assert {
    condition     = !contains(keys(google_cloudfunctions2_function.this), "console") && length(google_pubsub_topic_iam_member.commands) == 0
    error_message = "expected no function for a console that nobody asked for, and nobody who may give commands for it"
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : !contains(keys(function.service_config[0].environment_variables), "SLIPWAY_CONSOLE_IDENTITY")])
    error_message = "expected nobody to be believed"
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : length(function.service_config[0].secret_volumes) == 1])
    error_message = "expected the policy to be the only file"
  }
}

run "the_console_is_behind_its_proxy" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    console        = { identity = "iap:/projects/123456789012/global/backendServices/42", url = "https://slipway.example.com" }
    command_topics = { rollout-commands = "projects/acme-test/topics/rollout-commands", team = "projects/acme-test/topics/team" }
  }

  assert {
    condition     = google_cloudfunctions2_function.this["console"].service_config[0].ingress_settings == "ALLOW_INTERNAL_AND_GCLB" && !contains(keys(google_cloud_run_v2_service_iam_member.push), "console")
    error_message = "expected the load balancer to reach the console, and Pub/Sub not to call it"
  }

  assert {
    condition     = alltrue([for name, function in google_cloudfunctions2_function.this : function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" if name != "console"])
    error_message = "expected the others to stay private"
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.this :
      lookup(function.service_config[0].environment_variables, "SLIPWAY_CONSOLE_IDENTITY", "") == (name == "console" ? var.console.identity : "") &&
      function.service_config[0].environment_variables["SLIPWAY_CONSOLE_URL"] == var.console.url
    ])
    error_message = "expected the console to know whom to believe, and every function where the console is"
  }

  assert {
    condition     = toset(keys(google_pubsub_topic_iam_member.commands)) == toset(["rollout-commands console", "team console"])
    error_message = "expected the console to publish on every topic of commands"
  }
}

run "secrets_are_read_by_who_notifies_alone" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    notification_secrets = { slack = "slipway-slack", pager = "slipway-pager" }
  }

  assert {
    condition     = toset([for volume in google_cloudfunctions2_function.this["notify"].service_config[0].secret_volumes : volume.mount_path]) == toset(["/etc/slipway", "/secrets/slack", "/secrets/pager"])
    error_message = "expected a folder of its own for each secret: Cloud Run mounts one secret in one place"
  }

  assert {
    condition     = alltrue([for name, function in google_cloudfunctions2_function.this : length(function.service_config[0].secret_volumes) == 1 if name != "notify"])
    error_message = "expected the others to have none of them"
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_iam_member.notifications)) == toset(["slack notify", "pager notify"])
    error_message = "expected access to each secret, for notify alone"
  }
}

run "what_the_policy_asks_for_must_be_given" {
  command = plan
  module {
    source = "./modules/orchestrator"
  }
  variables {
    policy_file          = "tests/rollouts.yaml"
    notification_secrets = { slack = "slipway-slack" }
  }
  expect_failures = [google_secret_manager_secret_version.policy]
}

run "and_is_enough" {
  command = plan
  module {
    source = "./modules/orchestrator"
  }
  variables {
    policy_file          = "tests/rollouts.yaml"
    command_topics       = { rollout-commands = "projects/acme-test/topics/rollout-commands", team-commands = "projects/acme-test/topics/team-commands" }
    notification_secrets = { slack = "slipway-slack", audit-url = "slipway-audit", audit-key = "slipway-audit-key" }
  }

  assert {
    condition     = toset(local.secrets_asked) == toset(keys(var.notification_secrets)) && contains(local.topics_asked, "team-commands")
    error_message = "expected what the policy asks for to be read from it"
  }
}

run "clusters_when_asked_for" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    may_reach_clusters  = true
    may_create_services = true
    reads_analysis      = true
    attestors           = { built = { note_project = "acme-test", note = "built", project = "acme-test", attestor = "built" } }
  }

  assert {
    condition     = length([for key in keys(google_project_iam_member.project_wide) : key if startswith(key, "clusters ")]) == 2
    error_message = "expected activity and sweep to reach clusters"
  }

  assert {
    condition     = length(google_binary_authorization_attestor_iam_member.verifies) == 2 && length(google_container_analysis_note_iam_member.attestations) == 2
    error_message = "expected who verifies images to read attestations"
  }
}

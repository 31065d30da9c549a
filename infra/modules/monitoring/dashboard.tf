locals {
  run       = "run.googleapis.com"
  instances = "metric.type = \"${local.run}/container/instance_count\""
  latencies = "metric.type = \"${local.run}/request_latencies\""
  dispatcher_filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = \"${var.dispatcher}\"",
  ])
  tiles = [
    {
      title    = "Deliveries by answer"
      filter   = local.deliveries
      aligner  = "ALIGN_RATE"
      reducer  = "REDUCE_SUM"
      group_by = ["metric.label.response_code"]
      plot     = "STACKED_AREA"
    },
    {
      title    = "Time to answer, 99th percentile (ms)"
      filter   = "${local.service_filter} AND ${local.latencies}"
      aligner  = "ALIGN_PERCENTILE_99"
      reducer  = "REDUCE_MAX"
      group_by = ["resource.label.service_name"]
      plot     = "LINE"
    },
    {
      title    = "Dispatched by answer"
      filter   = "${local.dispatcher_filter} AND ${local.requests}"
      aligner  = "ALIGN_RATE"
      reducer  = "REDUCE_SUM"
      group_by = ["metric.label.response_code"]
      plot     = "STACKED_AREA"
    },
    {
      title    = "Oldest waiting event (s)"
      filter   = "${local.subscription_filter} AND ${local.unacked_age}"
      aligner  = "ALIGN_MAX"
      reducer  = "REDUCE_MAX"
      group_by = ["resource.label.subscription_id"]
      plot     = "LINE"
    },
    {
      title    = "Dead letters"
      filter   = "${local.dead_letter_filter} AND ${local.unacked}"
      aligner  = "ALIGN_MAX"
      reducer  = "REDUCE_MAX"
      group_by = ["resource.label.subscription_id"]
      plot     = "LINE"
    },
    {
      title    = "Instances"
      filter   = "${local.service_filter} AND ${local.instances}"
      aligner  = "ALIGN_MAX"
      reducer  = "REDUCE_SUM"
      group_by = ["resource.label.service_name"]
      plot     = "LINE"
    },
  ]
}

locals {
  dashboard_id = basename(google_monitoring_dashboard.dashboard.id)
}

resource "google_monitoring_dashboard" "dashboard" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, tile in local.tiles : merge(
          # The API leaves a position of 0 out of its replies, which every plan
          # would add again.
          index % 2 == 0 ? {} : { xPos = 24 },
          index < 2 ? {} : { yPos = floor(index / 2) * 16 },
          {
            height = 16
            width  = 24
            widget = {
              title = tile.title
              xyChart = {
                dataSets = [{
                  plotType   = tile.plot
                  targetAxis = "Y1"
                  timeSeriesQuery = {
                    timeSeriesFilter = {
                      filter = tile.filter
                      aggregation = {
                        alignmentPeriod    = "60s"
                        crossSeriesReducer = tile.reducer
                        groupByFields      = tile.group_by
                        perSeriesAligner   = tile.aligner
                      }
                    }
                  }
                }]
              }
            }
          },
        )
      ]
    }
  })
}

-- What people aged 16 to 19 do, over all four nations
SELECT coalesce(s.economic_status_name, 'All') AS status, people
FROM (
  SELECT status, count(*) AS people
  FROM people
  WHERE period = 2025 AND age_band = '16-19'
  GROUP BY ROLLUP (status)
)
LEFT JOIN economic_status s ON s.economic_status = status
ORDER BY status
